# Socket activation, by systemd-socket-activate.
add_test(NAME service-socket COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/service_socket.py)
set_tests_properties(service-socket PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
