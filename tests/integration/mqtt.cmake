# The MQTT outlet against mosquitto and its own clients.
add_test(NAME mqtt-mosquitto COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/mqtt_peers.py)
set_tests_properties(mqtt-mosquitto PROPERTIES LABELS "peers;mqtt" TIMEOUT 600
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
