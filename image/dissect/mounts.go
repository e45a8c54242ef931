package dissect

// Target returns where a partition is mounted, below the root of the image, as the Discoverable Partitions Specification has
// it. For the ESP see [ESPTarget].
func (p *Partition) Target() string {
	switch p.Designator {
	case Root:
		return "/"
	case Tmp:
		return "/var/tmp"
	case XBOOTLDR:
		return "/boot"
	}
	return "/" + p.Designator
}

// ESPTarget returns where the ESP is mounted, or nothing: on a directory that is there and empty (systemd-nspawn(1), --image=).
// empty tells about paths of the image.
func (i *Image) ESPTarget(empty func(name string) bool) string {
	if empty("/efi") {
		return "/efi"
	}
	if i.Find(XBOOTLDR) == nil && empty("/boot") {
		return "/boot"
	}
	return ""
}

// Find returns the partition of a kind, or nil.
func (i *Image) Find(designator string) *Partition {
	for n := range i.Partitions {
		if i.Partitions[n].Designator == designator {
			return &i.Partitions[n]
		}
	}
	return nil
}

// Restrictions are what is kept from the content of a partition. Device nodes never count.
type Restrictions struct{ NoSUID, NoExec, NoLinks bool }

// Restrictions returns those of the partition: what boots a machine is not protected and needs no programs, and what is
// temporary belongs to everybody.
func (p *Partition) Restrictions() Restrictions {
	switch p.Designator {
	case ESP, XBOOTLDR:
		return Restrictions{NoSUID: true, NoExec: true, NoLinks: true}
	case Tmp:
		return Restrictions{NoSUID: true}
	}
	return Restrictions{}
}

// MountOptions returns options for a file system of a type, each a flag or NAME=VALUE. A read-only mount of some would write to
// the image nevertheless, to play their journal back, and xfs is mounted once for each UUID, though copies of an image have
// the same.
func MountOptions(fileSystem string, readOnly bool) []string {
	var options []string
	switch {
	case readOnly && fileSystem == "btrfs":
		options = append(options, "rescue=nologreplay")
	case readOnly && (fileSystem == "ext4" || fileSystem == "xfs"):
		options = append(options, "norecovery")
	}
	switch fileSystem {
	case "xfs":
		options = append(options, "nouuid")
	case "vfat":
		options = append(options, "umask=0077")
	}
	return options
}
