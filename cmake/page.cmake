# The page of vmmap report and vmmap serve, bundled by web/build.mjs into one HTML file and put into the program.
# A source release carries it built (web/dist/page.html, made by the target dist), so that packagers need no Node; a checkout
# builds it with Node 18 and npm, whose packages come from the network. Where that cannot be done vmmap is built without
# the page, and report and serve say so; VMMAP_PAGE=on makes it an error.
set(VMMAP_PAGE "auto" CACHE STRING "the page of report and serve: auto, on, off")
set(VMMAP_PAGE_FILE "" CACHE FILEPATH "a page that is built already, of the same sources")
find_program(NODE_PROGRAM node)
find_program(NPM_PROGRAM npm)

set(page_folder ${CMAKE_BINARY_DIR}/web)
set(page_packages ${CMAKE_SOURCE_DIR}/web/package.json ${CMAKE_SOURCE_DIR}/web/package-lock.json)
set(page_file "")

# Installs the packages of the page into the build folder, so that the source folder stays as it was checked out; sets
# page_missing to why it could not be done. Once for each state of the lock file.
function(page_install_packages)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page_packages})
  set(page_missing "" PARENT_SCOPE)
  if(NOT NODE_PROGRAM OR NOT NPM_PROGRAM)
    set(page_missing "there is no node and npm" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${NODE_PROGRAM} --version OUTPUT_VARIABLE version ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REGEX REPLACE "^v" "" version "${version}")
  if(version VERSION_LESS 18)
    set(page_missing "node is of version ${version}, not 18 or newer" PARENT_SCOPE)
    return()
  endif()
  file(SHA256 ${CMAKE_SOURCE_DIR}/web/package-lock.json wanted)
  set(have "")
  if(EXISTS ${page_folder}/packages.stamp AND EXISTS ${page_folder}/node_modules)
    file(READ ${page_folder}/packages.stamp have)
  endif()
  if(have STREQUAL wanted)
    return()
  endif()
  message(STATUS "Installing the packages of the page")
  file(MAKE_DIRECTORY ${page_folder})
  file(COPY ${page_packages} DESTINATION ${page_folder})
  execute_process(COMMAND ${NPM_PROGRAM} ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error
    --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000
    WORKING_DIRECTORY ${page_folder} RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE said TIMEOUT 300)
  if(NOT status EQUAL 0)
    string(REGEX MATCH "[^\n]*(E[A-Z]+|rror)[^\n]*" said "${said}")
    set(page_missing "npm cannot install its packages (${said})" PARENT_SCOPE)
    return()
  endif()
  file(WRITE ${page_folder}/packages.stamp ${wanted})
endfunction()

if(VMMAP_PAGE STREQUAL "off")
  set(page_file "")
elseif(VMMAP_PAGE_FILE)
  if(NOT EXISTS ${VMMAP_PAGE_FILE})
    message(FATAL_ERROR "VMMAP_PAGE_FILE: there is no ${VMMAP_PAGE_FILE}")
  endif()
  get_filename_component(page_file ${VMMAP_PAGE_FILE} ABSOLUTE)
elseif(EXISTS ${CMAKE_SOURCE_DIR}/web/dist/page.html AND NOT EXISTS ${CMAKE_SOURCE_DIR}/.git)
  set(page_file ${CMAKE_SOURCE_DIR}/web/dist/page.html)
else()
  page_install_packages()
  if(NOT page_missing)
    set(page_file ${page_folder}/page.html)
    file(GLOB_RECURSE page_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/*)
    add_custom_command(OUTPUT ${page_file}
      COMMAND ${CMAKE_COMMAND} -E rm -rf ${page_folder}/src
      COMMAND ${CMAKE_COMMAND} -E copy_directory ${CMAKE_SOURCE_DIR}/web/src ${page_folder}/src
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/web/build.mjs ${CMAKE_SOURCE_DIR}/web/tsconfig.json ${page_folder}
      COMMAND ${NODE_PROGRAM} ${page_folder}/build.mjs ${page_file}
      DEPENDS ${page_sources} ${CMAKE_SOURCE_DIR}/web/build.mjs ${CMAKE_SOURCE_DIR}/web/tsconfig.json ${page_folder}/packages.stamp
      COMMENT "Bundling the page" VERBATIM)
  elseif(VMMAP_PAGE STREQUAL "on")
    message(FATAL_ERROR "VMMAP_PAGE=on: ${page_missing}; needed are Node 18, npm and its network, or a release with web/dist/page.html")
  else()
    message(WARNING "vmmap is built without the page of report and serve: ${page_missing}. "
      "They need Node 18, npm and its network, or a release with web/dist/page.html; -DVMMAP_PAGE=off leaves them out silently.")
  endif()
endif()

# src/face/page.c takes the file in by .incbin.
if(page_file)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/face/page.c PROPERTIES
    COMPILE_DEFINITIONS VMM_PAGE_FILE="${page_file}" OBJECT_DEPENDS ${page_file})
endif()

# A source release: what is committed, and the page.
find_program(GIT_PROGRAM git)
if(page_file AND GIT_PROGRAM AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  set(release vmmap-${PROJECT_VERSION})
  add_custom_target(dist
    COMMAND ${GIT_PROGRAM} -C ${CMAKE_SOURCE_DIR} archive --format=tar.gz -o ${CMAKE_BINARY_DIR}/${release}.tar.gz
      --prefix=${release}/web/dist/ --add-file=${page_file} --prefix=${release}/ HEAD
    DEPENDS ${page_file}
    COMMENT "Making ${release}.tar.gz" VERBATIM)
endif()
