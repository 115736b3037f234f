# CalDAV against a real Radicale (package radicale).
add_executable(davquery davquery.c)
target_link_libraries(davquery PRIVATE davclient base)
add_test(NAME caldav-radicale
  COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/caldav_radicale.py --davquery $<TARGET_FILE:davquery>)
set_tests_properties(caldav-radicale PROPERTIES LABELS "integration;radicale" TIMEOUT 120)
