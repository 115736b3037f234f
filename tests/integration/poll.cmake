# Who is asked, and what the budget buys: the whole daemon beside the simulator.
foreach(name watched_only watched_only_published budget_shown)
  string(REPLACE "_" "-" test ${name})
  add_test(NAME daemon-poll-${test} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/daemon_poll.py ${name})
  set_tests_properties(daemon-poll-${test} PROPERTIES LABELS daemon TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
