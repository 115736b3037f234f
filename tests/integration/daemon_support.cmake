# Log level, trace and bundle.
add_test(NAME daemon-support COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/daemon_support.py)
set_tests_properties(daemon-support PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
