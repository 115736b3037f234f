# What `freebusyctl privacy server` tells of CalDAV and of free/busy files, against what these servers are asked.
add_test(NAME privacy-radicale-cyrus-apache COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/privacy_peers.py)
set_tests_properties(privacy-radicale-cyrus-apache PROPERTIES LABELS "peers" TIMEOUT 600
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
