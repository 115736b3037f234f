# The page: what it is made of, and what a browser makes of it.
foreach(name names_and_headers who_may disconnects everybody)
  string(REPLACE "_" "-" test ${name})
  add_test(NAME page-${test} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/page.py ${name})
endforeach()
add_test(NAME page-chromium COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/page_chromium.py chromium)
add_test(NAME page-chromium-morning COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/page_chromium.py morning picture)
# Both may install what the browser's tests need.
set_tests_properties(page-chromium page-chromium-morning PROPERTIES RESOURCE_LOCK page-tools)
set_tests_properties(page-names-and-headers page-who-may page-disconnects page-everybody page-chromium
  page-chromium-morning PROPERTIES
  LABELS "page" TIMEOUT 600 ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
