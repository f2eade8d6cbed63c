# What is tested beside the nouns: the rules of the house, the headers, the ABI, and the library as strangers find it.
set(hn_shell ${CMAKE_COMMAND} -E env HN_CC=${CMAKE_C_COMPILER})

# hn_script_test(NAME LABEL COMMAND...): status 77 is "skipped".
function(hn_script_test name label)
  add_test(NAME ${name} COMMAND ${hn_shell} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 600)
endfunction()

foreach(rule includes calls size self-test)
  hn_script_test(house.${rule} unit ${CMAKE_CURRENT_SOURCE_DIR}/check_house.sh ${rule} ${PROJECT_SOURCE_DIR})
endforeach()
hn_script_test(golden.sources golden ${CMAKE_CURRENT_SOURCE_DIR}/check_golden.sh ${CMAKE_CURRENT_SOURCE_DIR}/golden)
hn_script_test(docs.reproduction smoke ${CMAKE_CURRENT_SOURCE_DIR}/reproduction.sh ${PROJECT_SOURCE_DIR})
hn_script_test(abi.headers abi ${CMAKE_CURRENT_SOURCE_DIR}/headers.sh ${PROJECT_SOURCE_DIR})

add_executable(test_abi_layout test_abi_layout.c)
target_link_libraries(test_abi_layout PRIVATE hybridnet hn_compile)
target_include_directories(test_abi_layout PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
add_test(NAME abi.layout COMMAND test_abi_layout)
set_tests_properties(abi.layout PROPERTIES LABELS abi)

# The programs, run as their users run them.
foreach(program custom_trainer pipeline bench_step bench_loss bench_memory bench_loader bench_open bench_conv bench_decode)
  if(TARGET ${program})
    hn_script_test(smoke.${program} smoke ${CMAKE_CURRENT_SOURCE_DIR}/smoke_program.sh $<TARGET_FILE:${program}>)
    set_tests_properties(smoke.${program} PROPERTIES ENVIRONMENT "OPENBLAS_NUM_THREADS=1")
  endif()
endforeach()
if(TARGET train_hybrid)
  hn_script_test(smoke.train_hybrid smoke ${CMAKE_CURRENT_SOURCE_DIR}/smoke.sh $<TARGET_FILE:train_hybrid>
                 $<IF:$<BOOL:${hn_png_target}>,with,without>)
  hn_script_test(smoke.rules smoke ${CMAKE_CURRENT_SOURCE_DIR}/smoke_rules.sh $<TARGET_FILE:train_hybrid>
                 $<IF:$<BOOL:${hn_png_target}>,with,without>)
  foreach(subject checkpoint data endings options)
    hn_script_test(smoke.${subject} smoke ${CMAKE_CURRENT_SOURCE_DIR}/smoke_${subject}.sh $<TARGET_FILE:train_hybrid>)
  endforeach()
  hn_script_test(smoke.hn_report smoke ${CMAKE_CURRENT_SOURCE_DIR}/smoke_report.sh $<TARGET_FILE:train_hybrid>
                 $<TARGET_FILE:hn_report>)
endif()

# What a sanitizer or gcov adds is nothing that anybody installs.
if(HN_SANITIZE OR HN_COVERAGE)
  return()
endif()

# In other people's programs: skipped, with a message, where what they need is missing.
if(HN_BUILD_EXAMPLES)
  if(TARGET libtorch_psc)
    hn_script_test(smoke.libtorch_psc smoke $<TARGET_FILE:libtorch_psc>)
  else()
    hn_script_test(smoke.libtorch_psc smoke sh -c "echo 'skipped: no LibTorch; on Debian: apt-get install g++ libtorch-dev'; exit 77")
  endif()
  hn_script_test(smoke.python_ctypes smoke ${CMAKE_CURRENT_SOURCE_DIR}/python_ctypes.sh ${PROJECT_SOURCE_DIR}
                 $<TARGET_FILE:hybridnet>)
endif()

# Loaded and unloaded by a program that is not linked with it.
add_executable(dlopen_host dlopen_host.c)
target_link_libraries(dlopen_host PRIVATE hn_compile ${CMAKE_DL_LIBS})
target_include_directories(dlopen_host PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(dlopen_host PRIVATE _XOPEN_SOURCE=700)
hn_script_test(consumer.dlopen consumer $<TARGET_FILE:dlopen_host> $<TARGET_FILE:hybridnet>)

hn_script_test(house.globals unit ${CMAKE_CURRENT_SOURCE_DIR}/check_house.sh globals ${PROJECT_SOURCE_DIR}
               $<TARGET_FILE:hybridnet_static>)
hn_script_test(abi.symbols abi ${CMAKE_CURRENT_SOURCE_DIR}/abi/symbols.sh $<TARGET_FILE:hybridnet> ${PROJECT_SOURCE_DIR})

# One program compiled against the headers of 0.1.0 and against today's; both with today's library.
foreach(headers tests/abi/0.1.0 include)
  string(MAKE_C_IDENTIFIER abi_client_${headers} client)
  add_executable(${client} abi/client.c)
  add_dependencies(${client} hybridnet)
  target_link_libraries(${client} PRIVATE hn_compile $<TARGET_LINKER_FILE:hybridnet> m)
  target_include_directories(${client} PRIVATE ${PROJECT_SOURCE_DIR}/${headers})
  set_target_properties(${client} PROPERTIES BUILD_RPATH $<TARGET_FILE_DIR:hybridnet>)
  list(APPEND hn_clients $<TARGET_FILE:${client}>)
endforeach()
hn_script_test(abi.clients abi ${CMAKE_CURRENT_SOURCE_DIR}/abi/clients.sh ${hn_clients})
hn_script_test(abi.compare abi ${CMAKE_CURRENT_SOURCE_DIR}/abi/compare.sh $<TARGET_FILE:hybridnet> ${PROJECT_SOURCE_DIR})

if(HN_INSTALL)
  list(JOIN hn_feature_settings " " hn_consumer_args)
  string(PREPEND hn_consumer_args "HN_CMAKE_ARGS=-DHN_BLAS=${HN_BLAS} -DHN_OPENMP=${HN_OPENMP} ")
  foreach(case pkgconfig static find_package add_subdirectory cxx)
    hn_script_test(consumer.${case} consumer ${CMAKE_COMMAND} -E env ${hn_consumer_args}
                   ${CMAKE_CURRENT_SOURCE_DIR}/consumer/run.sh ${case} ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR})
  endforeach()
endif()
