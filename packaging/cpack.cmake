# The Debian package. Libraries are found by dpkg-shlibdeps.
install(FILES ${PROJECT_SOURCE_DIR}/packaging/fermata.service DESTINATION lib/systemd/system)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
  DESTINATION share/doc/fermata)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION share/doc/fermata)
install(FILES ${PROJECT_SOURCE_DIR}/config/fermata.yaml DESTINATION share/doc/fermata/examples)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fermata)
set(CPACK_PACKAGE_CONTACT "Fermata maintainers <maintainers@fermata.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Host for data services that can be paused")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
include(CPack)
