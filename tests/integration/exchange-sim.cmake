# The simulator's NTLM: clients that nobody here wrote, verdicts of winbindd.
add_test(NAME exchange-sim-ntlm-clients COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/exchange_sim_ntlm.py)
set_tests_properties(exchange-sim-ntlm-clients PROPERTIES LABELS "integration;peers" TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
