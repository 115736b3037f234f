# Metrics, alert rules and dashboard, by Prometheus' own tool.
add_test(NAME monitoring-promtool COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/monitoring.py)
set_tests_properties(monitoring-promtool PROPERTIES LABELS integration TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
