# Webhooks against receivers of our own that misbehave, and the ready-made templates against what their products' documentation says.
foreach(name webhooks webhooks_ready)
  string(REPLACE "_" "-" test ${name})
  add_test(NAME ${test} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${name}.py)
  set_tests_properties(${test} PROPERTIES LABELS "peers;webhooks" TIMEOUT 900
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
