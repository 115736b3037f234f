# All outlets at once with random failures of each; by hand for five minutes: outlets_all.py long
add_test(NAME outlets-all COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/outlets_all.py short)
set_tests_properties(outlets-all PROPERTIES LABELS "peers;outlets" TIMEOUT 600
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
