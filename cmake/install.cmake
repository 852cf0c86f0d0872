# cmake --install: the program, libvmmap (shared and static) with headers and pkg-config file, man page, completions, docs.
install(TARGETS vmmap vmmap_shared vmmap_static
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${VMMAP_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vmmap)

# Absolute when the user gave an absolute folder, else below ${prefix}, so that pkg-config can move it.
foreach(folder LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
    set(VMMAP_PC_${folder} "${CMAKE_INSTALL_${folder}}")
  else()
    set(VMMAP_PC_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
  endif()
endforeach()
set(VMMAP_PC_REQUIRES sqlite3)
foreach(library ARCHIVE=libarchive ZSTD=libzstd EXPAT=expat)
  string(REPLACE "=" ";" library ${library})
  list(GET library 0 found)
  list(GET library 1 module)
  if(${found}_FOUND)
    string(APPEND VMMAP_PC_REQUIRES " ${module}")
  endif()
endforeach()
configure_file(${CMAKE_SOURCE_DIR}/cmake/vmmap.pc.in ${CMAKE_BINARY_DIR}/vmmap.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/vmmap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# A file, the folder it goes to, and the name it gets there. What a source archive leaves out is not installed.
function(vmmap_install_file file folder name)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${file})
    install(FILES ${CMAKE_SOURCE_DIR}/${file} DESTINATION ${folder} RENAME ${name})
  endif()
endfunction()
vmmap_install_file(man/vmmap.1 ${CMAKE_INSTALL_MANDIR}/man1 vmmap.1)
vmmap_install_file(completions/vmmap.bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions vmmap)
vmmap_install_file(completions/_vmmap ${CMAKE_INSTALL_DATADIR}/zsh/site-functions _vmmap)
vmmap_install_file(completions/vmmap.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d vmmap.fish)
vmmap_install_file(LICENSE ${CMAKE_INSTALL_DOCDIR} LICENSE)
vmmap_install_file(README.md ${CMAKE_INSTALL_DOCDIR} README.md)
file(GLOB VMMAP_DOCS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md ${CMAKE_SOURCE_DIR}/docs/*.json)
install(FILES ${VMMAP_DOCS} DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_SOURCE_DIR}/examples/types.c DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
