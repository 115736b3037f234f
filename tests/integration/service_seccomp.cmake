# What the daemon calls is within the filter of the unit (strace).
add_test(NAME service-seccomp COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/service_seccomp.py)
set_tests_properties(service-seccomp PROPERTIES LABELS integration TIMEOUT 1800 COST 200
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
