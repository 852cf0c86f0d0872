# The page of vmmap report and vmmap serve, bundled by web/build.mjs into one HTML file and put into the program.
# A source release carries it built (web/dist/page.html), so that packagers need no Node; a checkout builds it with Node
# and npm; without either vmmap is built without the page, and report and serve say so.
set(VMMAP_PAGE "auto" CACHE STRING "the page of report and serve: auto, on, off")
set(VMMAP_PAGE_FILE "")
find_program(NODE_PROGRAM node)
find_program(NPM_PROGRAM npm)

if(NOT VMMAP_PAGE STREQUAL "off")
  if(EXISTS ${CMAKE_SOURCE_DIR}/web/src/main.tsx AND NODE_PROGRAM AND NPM_PROGRAM)
    file(GLOB_RECURSE VMMAP_PAGE_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/*)
    set(VMMAP_PAGE_FOLDER ${CMAKE_BINARY_DIR}/web)
    set(VMMAP_PAGE_FILE ${VMMAP_PAGE_FOLDER}/page.html)
    # Packages lie in the build folder: the source folder stays as it was checked out.
    add_custom_command(OUTPUT ${VMMAP_PAGE_FOLDER}/packages.stamp
      COMMAND ${CMAKE_COMMAND} -E make_directory ${VMMAP_PAGE_FOLDER}
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/web/package.json ${CMAKE_SOURCE_DIR}/web/package-lock.json ${VMMAP_PAGE_FOLDER}
      COMMAND ${CMAKE_COMMAND} -E chdir ${VMMAP_PAGE_FOLDER} ${NPM_PROGRAM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
      COMMAND ${CMAKE_COMMAND} -E touch ${VMMAP_PAGE_FOLDER}/packages.stamp
      DEPENDS ${CMAKE_SOURCE_DIR}/web/package.json ${CMAKE_SOURCE_DIR}/web/package-lock.json
      COMMENT "Installing the packages of the page" VERBATIM)
    add_custom_command(OUTPUT ${VMMAP_PAGE_FILE}
      COMMAND ${CMAKE_COMMAND} -E copy_directory ${CMAKE_SOURCE_DIR}/web/src ${VMMAP_PAGE_FOLDER}/src
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/web/build.mjs ${CMAKE_SOURCE_DIR}/web/tsconfig.json ${VMMAP_PAGE_FOLDER}
      COMMAND ${NODE_PROGRAM} ${VMMAP_PAGE_FOLDER}/build.mjs ${VMMAP_PAGE_FILE}
      DEPENDS ${VMMAP_PAGE_SOURCES} ${CMAKE_SOURCE_DIR}/web/build.mjs ${CMAKE_SOURCE_DIR}/web/tsconfig.json
        ${VMMAP_PAGE_FOLDER}/packages.stamp
      COMMENT "Bundling the page" VERBATIM)
  elseif(EXISTS ${CMAKE_SOURCE_DIR}/web/dist/page.html)
    set(VMMAP_PAGE_FILE ${CMAKE_SOURCE_DIR}/web/dist/page.html)
  elseif(VMMAP_PAGE STREQUAL "on")
    message(FATAL_ERROR "VMMAP_PAGE=on needs node and npm, or a release that carries web/dist/page.html")
  else()
    message(STATUS "no node and npm: vmmap is built without the page of report and serve")
  endif()
endif()

# src/face/page.c takes the file in by .incbin.
set(VMMAP_PAGE_SOURCE ${CMAKE_SOURCE_DIR}/src/face/page.c)
if(VMMAP_PAGE_FILE)
  set_source_files_properties(${VMMAP_PAGE_SOURCE} PROPERTIES
    COMPILE_DEFINITIONS VMM_PAGE_FILE="${VMMAP_PAGE_FILE}" OBJECT_DEPENDS ${VMMAP_PAGE_FILE})
endif()
