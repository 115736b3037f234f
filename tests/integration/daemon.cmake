# The whole daemon beside the simulator: one ctest for each function of a daemon_*.py, named after it.
function(fb_daemon_tests file)
  foreach(name ${ARGN})
    string(REPLACE "_" "-" test ${name})
    add_test(NAME daemon-${test} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${file}.py ${name})
    set_tests_properties(daemon-${test} PROPERTIES LABELS daemon TIMEOUT 300
      ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endfunction()

fb_daemon_tests(daemon_presence punctual_and_resumed killed_and_restarted odd_addresses state_words watched_csv never_reads
  stops_cleanly)
fb_daemon_tests(daemon_faults one_person_fails broken_items whole_server_fails two_servers refused_password bad_certificate
  clear_text_refused)
fb_daemon_tests(daemon_published without_receive_as right_is_missing rows_of_every_kind lasting_disagreement refresh_to_the_end
  unchanged_by_contenttag unchanged_by_poll)
fb_daemon_tests(daemon_config refused_files documented_files reload_whole_or_not secret_rotated notify_systemd)
fb_daemon_tests(daemon_hostile hostile_calendars)
fb_daemon_tests(daemon_why why_weighs_events why_without_a_server)
fb_daemon_tests(daemon_keep kept_over_restart kept_only_for_configured one_daemon_a_directory refusal_remembered unusable_state read_only full_disk)
fb_daemon_tests(daemon_kills killed_at_random)
fb_daemon_tests(daemon_http every_row freebusy_addresses bad_requests tls_listener control_client)

foreach(server davical cyrus sogo)
  add_test(NAME daemon-outbox-${server} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/daemon_outbox.py ${server}_outbox)
  set_tests_properties(daemon-outbox-${server} PROPERTIES LABELS "daemon;${server}" TIMEOUT 300
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
foreach(server radicale xandikos davical cyrus sogo apache)
  add_test(NAME daemon-caldav-${server} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/daemon_caldav.py ${server}_cases)
  set_tests_properties(daemon-caldav-${server} PROPERTIES LABELS "daemon;${server}" TIMEOUT 600
    ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
fb_daemon_tests(daemon_policy limited_http limited_events limited_outlet widening)
fb_daemon_tests(daemon_marker marker_begins_and_ends marker_over_restart resumed_beside_a_marker resumed_past_a_choice
  shown_to_administrators)
add_test(NAME caldav-marker-radicale COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/daemon_marker.py radicale_marker)
set_tests_properties(caldav-marker-radicale PROPERTIES LABELS "daemon;radicale" TIMEOUT 300
  ENVIRONMENT "FB_BUILD=${CMAKE_BINARY_DIR};FB_SOURCE=${PROJECT_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
fb_daemon_tests(daemon_leak no_marker_leaves no_marker_is_relayed)

# The oracle of policy and view in full: ctest -C long -R '^policy-million$'.
add_test(NAME policy-million CONFIGURATIONS long COMMAND unit-policy-random)
set_tests_properties(policy-million PROPERTIES LABELS long TIMEOUT 3600 ENVIRONMENT "FREEBUSY_POLICY_CASES=1000000")
