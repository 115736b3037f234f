# freebusyctl setup, on a terminal.
add_test(NAME daemon-setup COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/daemon_setup.py)
set_tests_properties(daemon-setup PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
