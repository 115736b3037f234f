# Calendar programs that nobody here wrote read what the daemon publishes: one ctest for each function of clients.py.
foreach(name curl outbox policy stale bad_input python_caldav vdirsyncer evolution thunderbird)
  string(REPLACE "_" "-" test ${name})
  add_test(NAME clients-${test} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/clients.py ${name})
  set_tests_properties(clients-${test} PROPERTIES LABELS clients TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
