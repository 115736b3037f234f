# A thousand watchers of one contact.
foreach(kind prosody ejabberd)
  add_test(NAME xmpp-crowd-${kind} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/xmpp_crowd.py ${kind})
  set_tests_properties(xmpp-crowd-${kind} PROPERTIES LABELS "peers;xmpp" TIMEOUT 1800
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
