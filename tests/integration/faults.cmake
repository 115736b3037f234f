# Every file of tests/faults, set up and checked: prints the table fault -> code.
add_test(NAME fault-corpus COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/fault_corpus.py)
set_tests_properties(fault-corpus PROPERTIES LABELS "integration;peers" TIMEOUT 600
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
