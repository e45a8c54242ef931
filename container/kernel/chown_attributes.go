package kernel

import (
	"encoding/binary"
	"slices"
)

// ShiftACL moves the users and groups of an access control list, as the kernel has it in an extended attribute
// (linux/posix_acl_xattr.h), to the range from start on.
func ShiftACL(acl []byte, start uint32) []byte {
	const (
		header, entry = 4, 8 // bytes
		user, group   = 0x02, 0x08
	)
	shifted := slices.Clone(acl)
	for at := header; at+entry <= len(shifted); at += entry {
		if tag := binary.LittleEndian.Uint16(shifted[at:]); tag == user || tag == group {
			id := shifted[at+4 : at+entry]
			binary.LittleEndian.PutUint32(id, start|binary.LittleEndian.Uint32(id)&idMask)
		}
	}
	return shifted
}

// ShiftCapability moves the root user that the capabilities of a file are for (capabilities(7), "File capability extended
// attribute versioning") to the range from start on. Those of a tree that belongs to the host's users have none, as version 2;
// elsewhere they have one, version 3, so that they count in the container but not on the host.
func ShiftCapability(capability []byte, start uint32) []byte {
	const (
		sets               = 20 // bytes of version 2
		versionMask        = 0xFF000000
		version2, version3 = 0x02000000, 0x03000000
	)
	if len(capability) < sets {
		return capability
	}
	magic := binary.LittleEndian.Uint32(capability)
	var root uint32
	switch version := magic & versionMask; {
	case version == version3 && len(capability) >= sets+4:
		root = binary.LittleEndian.Uint32(capability[sets:])
	case version != version2:
		return capability
	}
	root = start | root&idMask
	shifted := slices.Clone(capability[:sets])
	if root == 0 {
		binary.LittleEndian.PutUint32(shifted, magic&^versionMask|version2)
		return shifted
	}
	binary.LittleEndian.PutUint32(shifted, magic&^versionMask|version3)
	return binary.LittleEndian.AppendUint32(shifted, root)
}
