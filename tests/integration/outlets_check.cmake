# The check of the outlets without a daemon, against their real peers.
add_test(NAME outlets-check-prosody-mosquitto-kamailio COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/outlets_check.py)
set_tests_properties(outlets-check-prosody-mosquitto-kamailio PROPERTIES LABELS "peers;outlets" TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
