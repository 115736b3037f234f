# How changes are found, calendars without a path, and free/busy alone, with the real servers.
foreach(server radicale xandikos davical cyrus sogo)
  add_test(NAME caldav-ways-${server}
    COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/caldav_ways.py ${server} --davquery $<TARGET_FILE:davquery>)
  set_tests_properties(caldav-ways-${server} PROPERTIES LABELS "integration;${server}" TIMEOUT 300
    ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
endforeach()
