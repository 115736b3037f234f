# The Debian package, in a Debian of its own. Two builds and a small system: minutes, not seconds.
add_test(NAME package-deb COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/package_deb.py)
set_tests_properties(package-deb PROPERTIES LABELS integration TIMEOUT 2400 COST 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
