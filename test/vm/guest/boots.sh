# For journeys that go on after the host was restarted: they run once for each boot, $BOOT says which.

# reboot_host ends this part; the journey runs again when the host is up.
reboot_host() {
    touch /var/lib/vmtest/reboot
    note "restarting the host"
    exit 0
}
