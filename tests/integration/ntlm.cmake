# NTLM judged by what nobody here wrote, message by message: Samba's ntlm_auth, and gss-ntlmssp through python3-gssapi.
add_executable(ntlm-answer ${CMAKE_CURRENT_LIST_DIR}/ntlm_answer.c)
target_include_directories(ntlm-answer PRIVATE ${PROJECT_SOURCE_DIR}/davclient)
target_link_libraries(ntlm-answer PRIVATE davclient base)
add_test(NAME ntlm-ntlm_auth COMMAND ${PROJECT_SOURCE_DIR}/tests/peers/ntlm_verdict.sh $<TARGET_FILE:ntlm-answer>)
add_test(NAME ntlm-gssapi COMMAND /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tests/integration/ntlm_gssapi.py $<TARGET_FILE:ntlm-answer>)
set_tests_properties(ntlm-ntlm_auth ntlm-gssapi PROPERTIES LABELS integration TIMEOUT 300)
