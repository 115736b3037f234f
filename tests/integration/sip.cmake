# The SIP outlets against real servers and phones; each test carries its peers' names.
function(fb_sip name)
  add_test(NAME ${name} COMMAND /usr/bin/python3 ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "peers;sip" TIMEOUT 400
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endfunction()
fb_sip(sip-kamailio-baresip-memory ${CMAKE_CURRENT_SOURCE_DIR}/sip_kamailio.py memory)
fb_sip(sip-kamailio-baresip-database ${CMAKE_CURRENT_SOURCE_DIR}/sip_kamailio.py database)
fb_sip(sip-own-baresip ${CMAKE_CURRENT_SOURCE_DIR}/sip_own.py baresip)
fb_sip(sip-own-baresip-tls ${CMAKE_CURRENT_SOURCE_DIR}/sip_own.py baresip-tls)
fb_sip(sip-own-linphone ${CMAKE_CURRENT_SOURCE_DIR}/sip_own.py linphone)
fb_sip(sip-own-sipp-sipsak ${CMAKE_CURRENT_SOURCE_DIR}/sip_own.py sipp)
