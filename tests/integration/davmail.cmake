# DavMail, an Exchange client that nobody here wrote, judges the simulator: profiles 2003 and 2007.
find_program(PYTHON3 python3 REQUIRED)
foreach(profile 2003 2007)
  add_test(NAME exchange-davmail-${profile}
    COMMAND ${PYTHON3} ${PROJECT_SOURCE_DIR}/tests/integration/exchange-davmail.py --sim $<TARGET_FILE:exchange-sim>
      --profile ${profile} --work ${CMAKE_BINARY_DIR}/artefacts/exchange-davmail-${profile})
  set_tests_properties(exchange-davmail-${profile} PROPERTIES LABELS integration TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR}")
endforeach()
add_test(NAME exchange-davmail-ntlm
  COMMAND ${PYTHON3} ${PROJECT_SOURCE_DIR}/tests/integration/exchange-davmail.py --sim $<TARGET_FILE:exchange-sim>
    --profile 2007 --ntlm --work ${CMAKE_BINARY_DIR}/artefacts/exchange-davmail-ntlm)
set_tests_properties(exchange-davmail-ntlm PROPERTIES LABELS "integration;peers" TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR}")
add_test(NAME exchange-davmail-freebusy-50
  COMMAND ${PYTHON3} ${PROJECT_SOURCE_DIR}/tests/integration/exchange_davmail_50.py --sim $<TARGET_FILE:exchange-sim>
    --work ${CMAKE_BINARY_DIR}/artefacts/exchange-davmail-freebusy-50)
set_tests_properties(exchange-davmail-freebusy-50 PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
