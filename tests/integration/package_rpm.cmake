# The RPM, built by rpmbuild (on Debian, without asking it for build dependencies).
add_test(NAME package-rpm COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/package_rpm.py)
set_tests_properties(package-rpm PROPERTIES LABELS integration TIMEOUT 1200 COST 100
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
