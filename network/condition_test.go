package network

import (
	"strings"
	"testing"
	"testing/fstest"
)

// What [Match] says about the host holds, does not, or cannot be told: then the file is for no link and says so.
func TestConditions(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const id = "0123456789abcdef0123456789abcdef"
	host := fstest.MapFS{
		"etc/machine-id": file(id + "\n"), "proc/sys/kernel/hostname": file("Web1.example.com\n"), "proc/cpuinfo": file("flags\t: fpu sse2\n"),
		"proc/cmdline": file("ro quiet root=/dev/sda1\n"), "proc/sys/kernel/osrelease": file("6.12.3-amd64\n"), "proc/sys/kernel/arch": file("aarch64\n"),
		"sys/firmware/efi/x": file(""), "etc/machine-info": file("PRETTY_HOSTNAME=x\nTAGS=\"web:env=test\"\n"),
		"sys/firmware/devicetree/base/compatible": file("acme,board\x00acme,soc\x00"), "proc/self/uid_map": file("0 0 4294967295\n"),
	}
	vm := fstest.MapFS{"proc/cpuinfo": file("flags\t: fpu hypervisor\n")}
	container := fstest.MapFS{"run/systemd/container": file("systemd-nspawn\n"), "proc/cpuinfo": file("flags\t: hypervisor\n"), "proc/self/uid_map": file("0 1000 65536\n")}
	const untestable = "cannot be tested"
	for _, test := range []struct {
		root           fstest.MapFS
		section, match string
	}{
		{host, "Host=web1.*", "yes"}, {host, "Host=web2", "no"}, {host, "Host=" + id, "yes"}, {host, "Host=!" + id, "no"},
		{host, "Host=01234567-89ab-cdef-0123-456789abcdef", "yes"}, {host, "Host=" + strings.Repeat("0", 32), "no"}, {host, "Host=web2\nHost=", "yes"},
		{host, "Host=[", untestable}, {host, "Host=no\nHost=web1.example.com", "yes"}, {host, "Host=web1.*\nArchitecture=x86", "no"},
		{host, "Virtualization=no", "yes"}, {host, "Virtualization=kvm", "no"}, {host, "Virtualization=private-users", "no"}, {host, "Virtualization=!container", "yes"},
		{vm, "Virtualization=vm", "yes"}, {vm, "Virtualization=yes", "yes"}, {vm, "Virtualization=container", "no"}, {vm, "Virtualization=kvm", untestable},
		{container, "Virtualization=container", "yes"}, {container, "Virtualization=systemd-nspawn", "yes"}, {container, "Virtualization=vm", "no"},
		{container, "Virtualization=docker", "no"}, {container, "Virtualization=private-users", "yes"},
		{host, "KernelCommandLine=quiet", "yes"}, {host, "KernelCommandLine=root", "yes"}, {host, "KernelCommandLine=root=/dev/sda1", "yes"},
		{host, "KernelCommandLine=root=/dev/sda", "no"}, {host, "KernelCommandLine=!rw", "yes"},
		{host, "KernelVersion=6.12.*", "yes"}, {host, "KernelVersion=>=6.2", "yes"}, {host, "KernelVersion=>= 6.2 <7", "yes"}, {host, "KernelVersion=<6.2", "no"},
		{host, "KernelVersion=!<6.2", "yes"}, {host, `KernelVersion="== 6.12.3-amd64"`, "yes"}, {host, "KernelVersion=!$=6.11.*", "yes"}, {host, "KernelVersion=<>6", "yes"},
		{host, "Version=kernel >6", "yes"}, {host, "Version=<6", "no"}, {host, "Version=systemd >250", untestable},
		{host, "Architecture=arm64", "yes"}, {host, "Architecture=!arm64", "no"},
		{host, "Firmware=uefi", "yes"}, {vm, "Firmware=uefi", "no"}, {host, "Firmware=device-tree", "yes"}, {vm, "Firmware=device-tree", "no"},
		{host, "Firmware=device-tree-compatible(acme,soc)", "yes"}, {host, "Firmware=device-tree-compatible(acme)", "no"},
		{host, "Firmware=smbios-field(sys_vendor = x)", untestable},
		{host, "MachineTag=env=*", "yes"}, {host, "MachineTag=env", "no"}, {host, "MachineTag=!db", "yes"}, {vm, "MachineTag=*", "no"}, {vm, "MachineTag=[", untestable},
	} {
		test.root["etc/systemd/network/a.network"] = file("[Match]\n" + test.section)
		files, problems := ReadFiles(test.root, SearchPath())
		found, passed := files.Find(Link{Name: "ve-web", Kind: "veth"})
		got := map[bool]string{true: "yes", false: "no"}[found != nil]
		if passed != nil {
			got = untestable
		}
		if got != test.match || (len(files[0].Problems) > 0) != (got == untestable) || len(problems) > 0 {
			t.Errorf("%q: %s, want %s (%v)", test.section, got, test.match, files[0].Problems)
		}
	}
}
