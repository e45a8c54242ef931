package settings

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"nspawnkit/container/capability"
)

// Process says how the program of an OCI bundle runs beyond what keys say.
type Process struct {
	Origin   Origin
	UID, GID uint32 // in the container
	Groups   []uint32
	Umask    *uint32

	Inheritable []string // capabilities
}

// Sysctl is a parameter of the kernel that is the container's own.
type Sysctl struct {
	Origin      Origin
	Name, Value string // "net.ipv4.ip_forward"
}

func takeVersion(r *bundleReader, v any, pointer string) {
	var version string
	if r.decode(v, pointer, &version) && !strings.HasPrefix(version, "1.") {
		r.refuse(pointer, "version %s is not supported, only 1", printable(version))
	}
}

func takeRoot(r *bundleReader, v any, pointer string) {
	var root string
	if r.decode(v, pointer, &root) {
		if err := checkText(root); err != nil || root == "" {
			r.refuse(pointer, "not a path")
			return
		}
		r.bundle.Root = r.path(root)
	}
}

func takeTerminal(r *bundleReader, v any, pointer string) {
	var terminal bool
	if r.decode(v, pointer, &terminal) {
		r.terminal = terminal
	}
}

// takeConsoleSize ignores the size without a terminal, as the specification says.
func takeConsoleSize(r *bundleReader, v any, pointer string) {
	var size ConsoleSize
	switch {
	case !r.terminal || !r.decode(v, pointer, &size):
	case size.Height == 0 || size.Width == 0:
		r.refuse(pointer, "needs height and width")
	default:
		r.bundle.ConsoleSize = size
	}
}

func takeReadOnly(r *bundleReader, v any, pointer string) {
	r.takeBool(v, pointer, "Files", "ReadOnly")
}

func takeNoNewPrivileges(r *bundleReader, v any, pointer string) {
	r.takeBool(v, pointer, "Exec", "NoNewPrivileges")
}

func (r *bundleReader) takeBool(v any, pointer, section, name string) {
	var on bool
	if r.decode(v, pointer, &on) {
		r.setText(section, name, map[bool]string{true: "yes", false: "no"}[on], pointer)
	}
}

func takeHostname(r *bundleReader, v any, pointer string) {
	r.takeString(v, pointer, "Exec", "Hostname")
}

func takeDirectoryInside(r *bundleReader, v any, pointer string) {
	r.takeString(v, pointer, "Exec", "WorkingDirectory")
}

func (r *bundleReader) takeString(v any, pointer, section, name string) {
	var text string
	if r.decode(v, pointer, &text) {
		r.setText(section, name, text, pointer)
	}
}

func takeDomainname(r *bundleReader, v any, pointer string) {
	var name string
	if !r.decode(v, pointer, &name) {
		return
	}
	if len(name) > 64 || checkText(name) != nil {
		r.refuse(pointer, "not a domain name")
		return
	}
	r.set("OCI", pointer, name, pointer, func(s *Settings) error { s.Exec.Domainname = name; return nil })
}

func takeOOMScore(r *bundleReader, v any, pointer string) {
	var score int
	if r.decode(v, pointer, &score) {
		r.setText("Exec", "OOMScoreAdjust", fmt.Sprint(score), pointer)
	}
}

func takeArguments(r *bundleReader, v any, pointer string) {
	var arguments []string
	if !r.decode(v, pointer, &arguments) {
		return
	}
	if len(arguments) == 0 || arguments[0] == "" {
		r.refuse(pointer, "there is no program")
		return
	}
	for i, argument := range arguments {
		if strings.ContainsRune(argument, 0) {
			r.refuse(at(pointer, i), "has a null character")
			return
		}
	}
	r.set("Exec", "Parameters", strings.Join(arguments, " "), pointer, func(s *Settings) error {
		s.Exec.Parameters = arguments
		return nil
	})
}

func takeEnvironment(r *bundleReader, v any, pointer string) {
	var variables []string
	if !r.decode(v, pointer, &variables) {
		return
	}
	for i, variable := range variables {
		if err := checkEnvironment(variable); err != nil {
			r.refuse(at(pointer, i), "%v", err)
			continue
		}
		r.set("Exec", "Environment", variable, at(pointer, i), func(s *Settings) error {
			s.Exec.Environment = append(s.Exec.Environment, variable)
			return nil
		})
	}
}

func takeLimits(r *bundleReader, v any, pointer string) {
	var limits []struct {
		Type string  `json:"type"`
		Soft *uint64 `json:"soft"`
		Hard *uint64 `json:"hard"`
	}
	if !r.decode(v, pointer, &limits) {
		return
	}
	seen := make(map[string]bool)
	for i, limit := range limits {
		name, isLimit := strings.CutPrefix(limit.Type, "RLIMIT_")
		switch {
		case !isLimit || lookup("Exec", "Limit"+name) == nil:
			r.refuse(at(pointer, i)+".type", "%s is not a resource limit", printable(limit.Type))
		case seen[name]:
			r.refuse(at(pointer, i)+".type", "%s is there twice", limit.Type)
		case limit.Soft == nil || limit.Hard == nil:
			r.refuse(at(pointer, i), "needs soft and hard")
		case *limit.Soft > *limit.Hard:
			r.refuse(at(pointer, i)+".soft", "is higher than hard")
		default:
			seen[name] = true
			r.set("Exec", "Limit"+name, fmt.Sprintf("%d:%d", *limit.Soft, *limit.Hard), at(pointer, i), func(s *Settings) error {
				if s.Exec.Limits == nil {
					s.Exec.Limits = make(map[string]Limit)
				}
				s.Exec.Limits[name] = Limit{*limit.Soft, *limit.Hard}
				return nil
			})
		}
	}
}

// takeCapabilities lets the container keep exactly the bounding set; a set that is missing is empty.
func takeCapabilities(r *bundleReader, v any, pointer string) {
	var sets struct {
		Bounding    []string `json:"bounding"`
		Inheritable []string `json:"inheritable"`
		Ambient     []string `json:"ambient"`
	}
	if !r.decode(v, pointer, &sets) {
		return
	}
	bounding, ok := r.capabilities(sets.Bounding, pointer+".bounding")
	for name, words := range map[string][]string{"inheritable": sets.Inheritable, "ambient": sets.Ambient} {
		set, valid := r.capabilities(words, pointer+"."+name)
		if ok = ok && valid; ok && set&^bounding != 0 {
			r.refuse(pointer+"."+name, "%s is not in bounding", set&^bounding)
		}
	}
	// Without inheritable the kernel has no ambient capability (capabilities(7)), so runc and crun give none either.
	ambient := slices.DeleteFunc(slices.Clone(sets.Ambient), func(word string) bool { return !slices.Contains(sets.Inheritable, word) })
	dropped := strings.Fields((capability.All(capability.Limit) &^ bounding).String())
	r.set("Exec", "Capability", bounding.String(), pointer+".bounding", func(s *Settings) error {
		s.Exec.Capability = append(s.Exec.Capability, sets.Bounding...)
		return nil
	})
	r.set("Exec", "DropCapability", strings.Join(dropped, " "), pointer+".bounding", func(s *Settings) error {
		s.Exec.DropCapability = append(s.Exec.DropCapability, dropped...)
		return nil
	})
	r.set("Exec", "AmbientCapability", strings.Join(ambient, " "), pointer+".ambient", func(s *Settings) error {
		s.Exec.AmbientCapability = append(s.Exec.AmbientCapability, ambient...)
		return nil
	})
	r.set("OCI", pointer+".inheritable", strings.Join(sets.Inheritable, " "), pointer+".inheritable", func(s *Settings) error {
		s.Exec.Process.Inheritable = sets.Inheritable
		return nil
	})
}

func (r *bundleReader) capabilities(words []string, pointer string) (set capability.Set, ok bool) {
	for i, word := range words {
		number, known := capability.Number(word)
		if !known {
			r.refuse(at(pointer, i), "%s is not a capability", printable(word))
			return 0, false
		}
		set = set.With(number)
	}
	return set, true
}

func takeUser(r *bundleReader, v any, pointer string) {
	var user struct {
		UID            *uint32  `json:"uid"`
		GID            *uint32  `json:"gid"`
		Umask          *uint32  `json:"umask"`
		AdditionalGids []uint32 `json:"additionalGids"`
	}
	if !r.decode(v, pointer, &user) {
		return
	}
	if user.UID == nil || user.GID == nil {
		r.refuse(pointer, "needs uid and gid")
		return
	}
	const none = 1<<32 - 1
	if *user.UID == none || *user.GID == none || slices.Contains(user.AdditionalGids, none) {
		r.refuse(pointer, "%d is not a user or group", none)
		return
	}
	if user.Umask != nil && *user.Umask > 0o777 {
		r.refuse(pointer+".umask", "not a mask of modes")
		return
	}
	text := fmt.Sprintf("%d:%d", *user.UID, *user.GID)
	r.set("OCI", pointer, text, pointer, func(s *Settings) error {
		p := &s.Exec.Process
		p.Origin, p.UID, p.GID, p.Groups, p.Umask = r.origin(pointer), *user.UID, *user.GID, user.AdditionalGids, user.Umask
		return nil
	})
}

// sysctlPrefixes are the parameters that namespaces have of their own: those of the IPC namespace.
const ipcSysctls = "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced"

func takeSysctl(r *bundleReader, v any, pointer string) {
	var parameters map[string]string
	if !r.decode(v, pointer, &parameters) {
		return
	}
	for name, text := range parameters {
		where := pointer + "." + printable(name)
		isNetwork := strings.HasPrefix(name, "net.")
		switch {
		case path.Clean("/"+strings.ReplaceAll(name, ".", "/")) != "/"+strings.ReplaceAll(name, ".", "/") || strings.ContainsRune(name, 0):
			r.refuse(where, "not the name of a parameter")
			continue
		case !isNetwork && !hasWord(ipcSysctls, name) && !strings.HasPrefix(name, "fs.mqueue."):
			r.refuse(where, "not supported: it is the host's")
			continue
		case isNetwork && !r.hasNamespace("network"):
			r.refuse(where, "not supported without a network namespace: it is the host's")
			continue
		}
		r.set("OCI", where, text, where, func(s *Settings) error {
			s.Exec.Sysctl = append(s.Exec.Sysctl, Sysctl{r.origin(where), name, text})
			return nil
		})
	}
}
