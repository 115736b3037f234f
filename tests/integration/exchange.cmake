# Exchange's change detection, names and homes of mailboxes, kinds of time: the whole daemon beside the simulator.
foreach(name changes_by_subscription changes_by_contenttag subscriptions_lost notified moved_mailboxes other_names every_kind)
  string(REPLACE "_" "-" test ${name})
  add_test(NAME daemon-exchange-${test} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/daemon_exchange.py ${name})
  set_tests_properties(daemon-exchange-${test} PROPERTIES LABELS daemon TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
