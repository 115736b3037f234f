# Forgetting somebody, at real servers.
foreach(name xmpp-prosody xmpp-ejabberd sip-kamailio)
  string(REGEX REPLACE ".*-" "" peer ${name})
  add_test(NAME ${name}-forget COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/forget_peers.py ${peer})
  set_tests_properties(${name}-forget PROPERTIES LABELS "peers" TIMEOUT 600
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
