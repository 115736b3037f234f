# Logging on against real servers: Apache with gss-ntlmssp, a KDC, squid, openssl, a channel-binding acceptor, and the simulator's forms.
add_executable(auth-query ${CMAKE_CURRENT_LIST_DIR}/auth_query.c)
target_link_libraries(auth-query PRIVATE davclient base)
foreach(name ntlm-apache-level0 ntlm-apache-level1 ntlm-apache-level2 ntlm-apache-level3 ntlm-names ntlm-lost-connections ntlm-broken
    ntlm-channel-binding ntlm-over-negotiate ntlm-every-request negotiate-kdc proxy-squid tls-options tls-old-server forms-2003 forms-2007 forms-expiry
    forms-denied basic-rotation ntlm-rotation scheme-fallback redirected redirected-to-forms redirected-and-refused check-steps)
  add_test(NAME auth-${name} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/auth_logon.py ${name})
  set_tests_properties(auth-${name} PROPERTIES LABELS "integration;auth" TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()

# The whole daemon and its account's password.
foreach(name rotated_basic rotated_basic_together rotated_basic_file_first rotated_ntlm rotated_forms wrong_for_thousands what_is_shown proxy_password)
  string(REPLACE "_" "-" test ${name})
  add_test(NAME daemon-auth-${test} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/daemon_auth.py ${name})
  set_tests_properties(daemon-auth-${test} PROPERTIES LABELS "daemon;auth" TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
