# davclient and nothing of the daemon, for tests with real servers.
add_executable(davquery davquery.c)
target_link_libraries(davquery PRIVATE davclient base)

# Our recurrence against python3-dateutil's.
add_executable(icalwalk icalwalk.c)
target_include_directories(icalwalk PRIVATE ${PROJECT_SOURCE_DIR}/davclient)
target_link_libraries(icalwalk PRIVATE davclient base)
add_test(NAME ical-rules COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/ical_rules.py --icalwalk $<TARGET_FILE:icalwalk>)
set_tests_properties(ical-rules PROPERTIES LABELS "integration;ical" TIMEOUT 600)
