# Nothing but presence on the lines to real servers of each kind.
add_test(NAME leak-prosody-mosquitto-kamailio COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/outlets_leak.py)
set_tests_properties(leak-prosody-mosquitto-kamailio PROPERTIES LABELS "peers;outlets" TIMEOUT 600
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
