package container

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// customMount is one line of [Files] that mounts something. Exactly one of the pointers is set, none for Inaccessible=.
type customMount struct {
	origin      settings.Origin
	destination string
	kind        mountKind
	bind        *settings.Bind
	temporary   *settings.TemporaryFileSystem
	overlay     *settings.Overlay
	optional    bool // there need not be anything to mount on
}

// mountKind orders mounts on the same destination: the last is seen.
type mountKind int

const (
	bindMount mountKind = iota
	temporaryMount
	overlayMount
	inaccessibleMount
)

// customMounts returns the mounts of [Files] as systemd-nspawn orders them: by destination, so that what is below is mounted
// after what is above however the lines are ordered.
func customMounts(files *settings.Files) []customMount {
	var mounts []customMount
	for i := range files.Binds {
		b := &files.Binds[i]
		mounts = append(mounts, customMount{origin: b.Origin, destination: b.Destination, kind: bindMount, bind: b})
	}
	for i := range files.TemporaryFileSystem {
		m := &files.TemporaryFileSystem[i]
		mounts = append(mounts, customMount{origin: m.Origin, destination: m.Path, kind: temporaryMount, temporary: m})
	}
	for i := range files.Overlays {
		o := &files.Overlays[i]
		mounts = append(mounts, customMount{origin: o.Origin, destination: o.Destination, kind: overlayMount, overlay: o})
	}
	for _, m := range files.Inaccessible {
		mounts = append(mounts, customMount{origin: m.Origin, destination: m.Path, kind: inaccessibleMount, optional: m.Optional})
	}
	slices.SortStableFunc(mounts, func(a, b customMount) int {
		if order := slices.Compare(strings.Split(a.destination, "/"), strings.Split(b.destination, "/")); order != 0 {
			return order
		}
		return int(a.kind) - int(b.kind)
	})
	return mounts
}

// bindMapping returns the mapping option of a bind that is in force. The image's own files are shown as in the rest of the image.
func bindMapping(bind *settings.Bind, byDefault string, users Users) string {
	inRoot := strings.HasPrefix(bind.Source, "+")
	mapping := bind.IDMap
	if mapping == "" && !inRoot {
		mapping = map[string]string{"owner": "owneridmap", "root": "rootidmap"}[byDefault]
	}
	switch {
	case mapping == "", mapping == "noidmap":
		if inRoot && users.mapped() {
			return "idmap"
		}
		return "noidmap"
	case mapping == "idmap" && !users.Namespace:
		return "noidmap"
	}
	return mapping
}

// has reports whether a user of the host is one of the container's.
func (u Users) has(id uint32) bool {
	return !u.Namespace || id >= u.Start && uint64(id) < uint64(u.Start)+uint64(u.Count)
}

// describeOwner says what is wrong with how a bind shows up inside, and what to write instead; nothing if nothing is.
func describeOwner(bind *settings.Bind, mapping string, uid, gid uint32, users Users) string {
	switch {
	case mapping == "rootidmap" && uid != gid && !bind.ReadOnly:
		return fmt.Sprintf("%s belongs to the user %d and the group %d: %s maps the group %d only, so the container cannot write there; chgrp %d %s",
			bind.Source, uid, gid, mapping, uid, uid, bind.Source)
	case mapping != "noidmap" || bind.IDMap == "noidmap" || users.has(uid):
		return ""
	case uid < users.Count:
		return fmt.Sprintf("%s belongs to the user %d of the host, which shows up as nobody in the container; write %s:%s:idmap to show it as the user %d",
			bind.Source, uid, bind.Source, bind.Destination, uid)
	}
	return fmt.Sprintf("%s belongs to the user %d of the host, which shows up as nobody in the container; write %s:%s:rootidmap to show it as root",
		bind.Source, uid, bind.Source, bind.Destination)
}

// describeUnmappable is what [describeOwner] says where the file system cannot be id-mapped.
func describeUnmappable(bind *settings.Bind, fileSystem string, uid uint32, users Users) string {
	return fmt.Sprintf("%s belongs to the user %d of the host, which shows up as nobody in the container, and the kernel cannot id-map its file system, %s; "+
		"give the files to the container's users, %d to %d, or write %s:%s:noidmap to leave them as they are",
		bind.Source, uid, fileSystem, users.Start, uint64(users.Start)+uint64(users.Count)-1, bind.Source, bind.Destination)
}

// temporaryOptions adds systemd-nspawn's defaults to the options of TemporaryFileSystem=; settings has added the mode, and
// [Supervisor.newTemporary] adds the owner. The users in them are the container's.
// Options of all mounts are its attributes.
func temporaryOptions(list string, users Users) (result []kernel.Option, attributes uint64, err error) {
	result = options("size", "10%", "nr_inodes", "400k")
	for _, option := range strings.Split(list, ",") {
		name, value, _ := strings.Cut(option, "=")
		if name == "uid" || name == "gid" {
			id, err := strconv.ParseUint(value, 10, 32)
			if err != nil || users.Namespace && id >= uint64(users.Count) {
				return nil, 0, fmt.Errorf("option %s of a tmpfs: not a user of the container", option)
			}
			value = strconv.FormatUint(id+uint64(users.onTemporary()), 10)
		}
		switch option {
		case "", "rw", "nosuid", "nodev", "exec", "strictatime":
		case "ro":
			attributes |= kernel.ReadOnly
		case "noexec":
			attributes |= kernel.NoExec
		default:
			result = append(result, kernel.Option{Name: name, Value: value})
		}
	}
	return result, attributes, nil
}

// bindAttributes returns the attributes of a bind.
func bindAttributes(bind *settings.Bind) (attributes uint64) {
	for attribute, wanted := range map[uint64]bool{
		kernel.ReadOnly: bind.ReadOnly, kernel.NoSUID: bind.NoSUID, kernel.NoDev: bind.NoDev, kernel.NoExec: bind.NoExec,
	} {
		if wanted {
			attributes |= attribute
		}
	}
	return attributes
}
