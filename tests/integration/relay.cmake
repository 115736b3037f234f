# The relay pair: two daemons, what happens between them, and what they refuse.
add_test(NAME relay COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/relay.py)
set_tests_properties(relay PROPERTIES LABELS integration TIMEOUT 900
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
