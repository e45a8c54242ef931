package settings

import (
	"errors"
	"fmt"
	"strings"
)

// setUser takes a user of the container, by name or number.
func setUser(s *Settings, v value) error {
	if v.text == "root" || v.text == "0" {
		s.Exec.User = ""
		return nil
	}
	if leading(v.text, "0123456789") != v.text {
		if err := checkUserName(v.text); err != nil {
			return err
		}
	}
	s.Exec.User = v.text
	return nil
}

// checkUserName accepts the names of users that need no quoting anywhere: the strict rule of systemd ("User/Group Name
// Syntax") without its upper bound of 31 bytes.
func checkUserName(name string) error {
	bad := fmt.Errorf("%s is not the name of a user", printable(name))
	if name == "" || len(name) > 256 || name[0] == '-' || name[0] >= '0' && name[0] <= '9' {
		return bad
	}
	for _, c := range []byte(name) {
		if !isLetterOrDigit(c) && c != '_' && c != '-' {
			return bad
		}
	}
	return nil
}

// personalities are the architectures that a kernel may be told to report, as systemd has them on any machine.
const personalities = "x86 x86-64 arm arm-be arm64 arm64-be ppc ppc-le ppc64 ppc64-le s390 s390x mips mips-le mips64 mips64-le " +
	"parisc parisc64 loongarch64 riscv32 riscv64 sparc sparc64"

func setPersonality(s *Settings, v value) error {
	if setOneOf(&s.Exec.Personality, v.text, personalities) != nil {
		return errors.New("not an architecture")
	}
	return nil
}

// maxDelegate is the number of ranges that systemd-nsresourced(8) delegates at most.
const maxDelegate = 16

func setPrivateUsersDelegate(s *Settings, v value) error {
	n, err := parseUint(v.text, 32)
	if err != nil {
		return err
	}
	if n > maxDelegate {
		return fmt.Errorf("not between 0 and %d", maxDelegate)
	}
	s.Exec.PrivateUsers.Delegate = uint(n)
	return nil
}

// addressFamilies are the families of socket(2), without "AF_".
const addressFamilies = "UNIX LOCAL INET AX25 IPX APPLETALK NETROM BRIDGE ATMPVC X25 INET6 ROSE DECnet NETBEUI SECURITY KEY NETLINK " +
	"ROUTE PACKET ASH ECONET ATMSVC RDS SNA IRDA PPPOX WANPIPE LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC ISDN PHONET IEEE802154 " +
	"CAIF ALG NFC VSOCK KCM QIPCRTR SMC XDP MCTP"

// setAddressFamilies adds to the list; a leading "~" goes to each name, so that the order of lines does not matter.
func setAddressFamilies(s *Settings, v value) error {
	list, deny := strings.CutPrefix(v.text, "~")
	var names []string
	for name := range strings.FieldsSeq(list) {
		family, found := strings.CutPrefix(name, "AF_")
		if name != "none" && !(found && hasWord(addressFamilies, family)) {
			return fmt.Errorf("%s is not an address family", printable(name))
		}
		if deny {
			name = "~" + name
		}
		names = append(names, name)
	}
	s.Exec.RestrictAddressFamilies = append(s.Exec.RestrictAddressFamilies, names...)
	return nil
}

// maxCPU is the highest number of a CPU that systemd takes.
const maxCPU = 8191

// setCPUAffinity adds CPUs: numbers and ranges with spaces or commas between them.
func setCPUAffinity(s *Settings, v value) error {
	var set [maxCPU + 1]bool
	for _, cpu := range s.Exec.CPUAffinity {
		set[cpu] = true
	}
	for word := range strings.FieldsFuncSeq(v.text, func(r rune) bool { return r == ',' || strings.ContainsRune(blank, r) }) {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err := parseUint(first, 32)
		if err != nil {
			return err
		}
		to, err := parseUint(last, 32)
		if err != nil {
			return err
		}
		if from > maxCPU || to > maxCPU {
			return errTooLarge
		}
		for cpu := from; cpu <= to; cpu++ {
			set[cpu] = true
		}
	}
	s.Exec.CPUAffinity = nil
	for cpu, in := range set {
		if in {
			s.Exec.CPUAffinity = append(s.Exec.CPUAffinity, cpu)
		}
	}
	return nil
}
