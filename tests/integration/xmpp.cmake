# The XMPP outlet against real servers, with slixmpp as client; each server carries the name of its test.
foreach(kind prosody ejabberd)
  add_test(NAME xmpp-${kind} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/xmpp_peers.py ${kind}
    whole refused everybody own_account own_activity)
  add_test(NAME xmpp-${kind}-shared-name COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/xmpp_peers.py ${kind}
    shared_name)
  set_tests_properties(xmpp-${kind} xmpp-${kind}-shared-name PROPERTIES LABELS "peers;xmpp" TIMEOUT 600
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
