# One simulated hour of presence against an oracle; 100,000 people by hand, fewer in the test run because of the sanitizers.
add_executable(hour hour.c)
target_link_libraries(hour PRIVATE presence base)
add_test(NAME presence-hour COMMAND hour 2000)
set_tests_properties(presence-hour PROPERTIES LABELS integration TIMEOUT 300)
