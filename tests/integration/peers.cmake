# The real servers of tests/peers, each judged by clients that nobody here wrote (tests/peers/README.md has the packages).
foreach(peer apache_ntlm winbind certs tls_server kdc squid gssapi_acceptor)
  string(REPLACE "_" "-" name peer-${peer})
  add_test(NAME ${name} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/peers_selftest.py ${peer})
  set_tests_properties(${name} PROPERTIES LABELS "integration;peers" TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR}")
endforeach()
