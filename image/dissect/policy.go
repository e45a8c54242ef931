package dissect

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// flags of a policy, see systemd.image-policy(7).
type flags uint32

const (
	verityFlag flags = 1 << iota
	signedFlag
	encryptedFlag
	unprotectedFlag
	unusedFlag
	absentFlag
	readOnlyOnFlag
	readOnlyOffFlag
	growFSOnFlag
	growFSOffFlag
	firstFileSystem
)

const (
	usedFlags     = verityFlag | signedFlag | encryptedFlag | unprotectedFlag
	openFlags     = usedFlags | unusedFlag | absentFlag
	ignoreFlags   = unusedFlag | absentFlag
	readOnlyFlags = readOnlyOnFlag | readOnlyOffFlag
	growFSFlags   = growFSOnFlag | growFSOffFlag
)

// flagNames are in the order of the bits; the file systems come last.
const flagNames = "verity signed encrypted unprotected unused absent read-only-on read-only-off growfs-on growfs-off " + mountable

func fileSystemFlags() flags {
	return flags(1)<<len(strings.Fields(flagNames)) - firstFileSystem
}

// String lists the flags as a policy does.
func (f flags) String() string {
	var names []string
	for i, name := range strings.Fields(flagNames) {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

func flagNamed(name string) flags {
	switch name {
	case "open":
		return openFlags
	case "ignore":
		return ignoreFlags
	}
	for i, known := range strings.Fields(flagNames) {
		if known == name {
			return 1 << i
		}
	}
	return 0
}

// Policy is an image policy. The zero Policy allows nothing to be used; see [ParsePolicy].
type Policy struct {
	rules    map[string]flags
	fallback flags
}

// ContainerPolicy is what systemd-nspawn(1) uses without --image-policy=.
const ContainerPolicy = "root=verity+signed+encrypted+unprotected+absent:usr=verity+signed+encrypted+unprotected+absent:" +
	"home=encrypted+unprotected+absent:srv=encrypted+unprotected+absent:esp=unprotected+absent:xbootldr=unprotected+absent:" +
	"tmp=encrypted+unprotected+absent:var=encrypted+unprotected+absent"

// ParsePolicy reads a policy as systemd.image-policy(7) writes it.
func ParsePolicy(text string) (Policy, error) {
	p := Policy{rules: make(map[string]flags), fallback: ignoreFlags}
	switch text {
	case "", "-":
		return p, nil
	case "*":
		p.fallback = openFlags
		return p, nil
	case "~":
		p.fallback = absentFlag
		return p, nil
	}
	seen := make(map[string]bool)
	for rule := range strings.SplitSeq(text, ":") {
		name, list, found := strings.Cut(rule, "=")
		if name = strings.TrimSpace(name); !found {
			return p, fmt.Errorf("%q is no rule PARTITION=FLAGS", rule)
		}
		if name != "" && !hasWord(designators, name) {
			return p, fmt.Errorf("unknown partition %q, known are %s", name, designators)
		}
		if seen[name] {
			return p, fmt.Errorf("two rules for %q", name)
		}
		seen[name] = true
		f, err := parseFlags(strings.TrimSpace(list))
		if err != nil {
			return p, err
		}
		if name == "" {
			p.fallback = f
		} else {
			p.rules[name] = f
		}
	}
	return p, nil
}

func parseFlags(list string) (f flags, err error) {
	if list == "" || list == "-" {
		return 0, nil
	}
	for name := range strings.SplitSeq(list, "+") {
		flag := flagNamed(strings.TrimSpace(name))
		if flag == 0 {
			return 0, fmt.Errorf("unknown flag %q, known are open ignore %s", name, flagNames)
		}
		f |= flag
	}
	return f, nil
}

// get returns the flags for a partition. What says how data is protected has no protection of its own; where the policy is
// silent on it, what it says to the data counts.
func (p Policy) get(designator string) flags {
	if f, listed := p.rules[designator]; listed {
		return complete(f, designator)
	}
	for _, suffix := range []string{signatureOf, verityOf} {
		data, found := strings.CutSuffix(designator, suffix)
		if !found {
			continue
		}
		f, listed := p.rules[data]
		wanted := signedFlag
		if suffix == verityOf {
			wanted |= verityFlag
		}
		if f = complete(f, data); listed && f&wanted != 0 {
			return complete(unprotectedFlag|f&(ignoreFlags|readOnlyFlags|growFSFlags), designator)
		}
		break
	}
	return complete(p.fallback, designator)
}

// complete fills in what "not said" means, and takes away what a partition cannot be.
func complete(f flags, designator string) flags {
	if f&openFlags == 0 {
		f |= openFlags
	}
	for _, both := range []flags{readOnlyFlags, growFSFlags, fileSystemFlags()} {
		if f&both == 0 {
			f |= both
		}
	}
	if designator != Root && designator != Usr {
		f &^= verityFlag | signedFlag
	}
	if strings.Contains(designator, verityOf) {
		f &^= encryptedFlag
	}
	return f
}

// mayUse reports whether a partition may be used at all.
func (p Policy) mayUse(designator string) bool { return p.get(designator)&usedFlags != 0 }

// mayVerify reports whether a partition may be used with dm-verity, and whether with a signature of its root hash.
func (p Policy) mayVerify(designator string) (verity, signed bool) {
	f := p.get(designator)
	return f&(verityFlag|signedFlag) != 0, f&signedFlag != 0
}

// NeedsSignature reports whether a partition may be used only if its root hash is signed.
func (p Policy) NeedsSignature(designator string) bool {
	return p.get(designator)&(usedFlags) == signedFlag
}

// checkProtection refuses a partition none of whose states the policy has.
func (p Policy) checkProtection(designator string, is flags) error {
	wanted := p.get(designator) & openFlags
	if wanted&is != 0 {
		return nil
	}
	return fmt.Errorf("image policy: partition %s is %s, but must be %s", designator, oneOf(is), oneOf(wanted))
}

// oneOf names the strongest of several states, or all that are wanted.
func oneOf(f flags) string {
	if bits.OnesCount32(uint32(f)) == 1 {
		return f.String()
	}
	return strings.ReplaceAll(f.String(), "+", " or ")
}

// checkAttributes refuses a partition whose GPT attributes the policy forbids.
func (p Policy) checkAttributes(designator string, attributes uint64) error {
	is := readOnlyOffFlag | growFSOffFlag
	if attributes&flagReadOnly != 0 {
		is ^= readOnlyFlags
	}
	if attributes&flagGrowFS != 0 {
		is ^= growFSFlags
	}
	if missing := is &^ p.get(designator); missing != 0 {
		return fmt.Errorf("image policy: partition %s is %s", designator, missing)
	}
	return nil
}

// CheckFileSystem refuses what is not to be mounted as a partition: file systems that the policy does not allow, and those that
// are not mounted from images, or not as this partition.
func (p Policy) CheckFileSystem(designator, fileSystem string) error {
	if err := checkMountable(fileSystem); err != nil {
		return fmt.Errorf("partition %s: %w", designator, err)
	}
	allowed := p.get(designator) & fileSystemFlags()
	if flagNamed(fileSystem)&allowed == 0 {
		return fmt.Errorf("image policy: partition %s has file system %s, but must have %s", designator, fileSystem, oneOf(allowed))
	}
	switch isBoot := designator == ESP || designator == XBOOTLDR; {
	case fileSystem == "vfat" && !isBoot:
		return fmt.Errorf("partition %s: %w", designator, errors.New("file system vfat has neither owners nor modes"))
	case fileSystem != "vfat" && designator == ESP:
		return fmt.Errorf("partition %s: file system %s, where firmware needs vfat", designator, fileSystem)
	}
	return nil
}
