# The container, built and run without a registry: a small Debian, the compiler's packages, a build. Minutes, not seconds.
add_test(NAME package-container COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/package_container.py)
set_tests_properties(package-container PROPERTIES LABELS integration TIMEOUT 1800 COST 200
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
