# The relay pair: two daemons, what happens between them, and what they refuse.
add_test(NAME relay COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/relay.py)
set_tests_properties(relay PROPERTIES LABELS integration TIMEOUT 900
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
# Apache's mod_dav as the far end.
add_test(NAME relay-apache COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/relay_apache.py)
set_tests_properties(relay-apache PROPERTIES LABELS peers TIMEOUT 900
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
# GNOME's WebDAV client as the near end, as Evolution publishes by it.
add_test(NAME relay-gvfs COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/relay_gvfs.py)
set_tests_properties(relay-gvfs PROPERTIES LABELS peers TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
# Both in network namespaces of their own, and every packet between them looked at; as root. Elsewhere the line of relay.py.
add_test(NAME relay-namespaces COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/relay_spaces.py)
set_tests_properties(relay-namespaces PROPERTIES LABELS integration TIMEOUT 900
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
