# The free/busy cases through the real servers that people have (tests/peers/README.md has their packages).
foreach(server radicale xandikos davical cyrus sogo)
  add_test(NAME caldav-${server}
    COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/caldav_servers.py ${server} --davquery $<TARGET_FILE:davquery>)
  set_tests_properties(caldav-${server} PROPERTIES LABELS "integration;${server}" TIMEOUT 300
    ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
endforeach()

# Free/busy files in a folder of Apache's.
add_test(NAME ifb-apache
  COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/caldav_servers.py apache --davquery $<TARGET_FILE:davquery>)
set_tests_properties(ifb-apache PROPERTIES LABELS "integration;apache" TIMEOUT 300 ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
