package dissect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Image is what of a disk image is used.
type Image struct {
	Table      string // "gpt", "dos", or nothing: it is one file system
	SectorSize int64  // bytes
	Partitions []Partition
}

// Partition is a part of an image that is mounted.
type Partition struct {
	Designator   string
	Number       int   // as in /dev/sda1; 0 is the whole image
	Offset, Size int64 // bytes
	FileSystem   string
	ReadOnly     bool // marked as such, or nothing can be written to
	GrowFS       bool // the file system is to fill the partition
	Verity       *Verified
}

// Verified says how the data of a partition is checked.
type Verified struct {
	Offset, Size int64 // of the hashes in the image; size 0: they are in a file of their own
	RootHash     []byte
	Signature    []byte // nil: none, or it does not count
}

// Options are what counts besides the image.
type Options struct {
	Architecture string // GOARCH of the machine
	Policy       Policy
	Verity       Verity
}

// Dissect reads an image of size bytes and chooses what is mounted as systemd does.
func Dissect(r io.ReaderAt, size int64, o Options) (*Image, error) {
	fileSystem, err := FileSystem(r, 0, size)
	if err != nil {
		return nil, err
	}
	if fileSystem != "" {
		return wholeImage(fileSystem, size, o)
	}
	table, err := readTable(r, size)
	if err != nil {
		return nil, err
	}
	if table == nil {
		return nil, errors.New("neither a file system nor a partition table that is known")
	}
	if o.Verity.External {
		return nil, errors.New("--verity-data is for an image of one file system: this one has a partition table, and the hashes must be a partition")
	}
	c := choice{Options: o, reader: r, table: table, found: make(map[string]entry), ignored: make(map[string]bool)}
	if err := c.choose(); err != nil {
		return nil, err
	}
	if err := c.prepareVerity(); err != nil {
		return nil, err
	}
	return c.image()
}

// wholeImage is an image without partitions.
func wholeImage(fileSystem string, size int64, o Options) (*Image, error) {
	p := Partition{Designator: Root, Size: size, FileSystem: fileSystem, ReadOnly: AlwaysReadOnly(fileSystem)}
	is := unprotectedFlag
	switch {
	case fileSystem == LUKS:
		is = encryptedFlag
	case o.Verity.RootHash != nil && !o.Verity.External:
		return nil, errors.New("there is a root hash, but no verity data: --verity-data= is missing")
	case o.Verity.RootHash != nil && !o.Verity.covers(Root):
		return nil, errors.New("there is a root hash for /usr, but the image is a root file system")
	case o.Verity.External && o.Verity.RootHash == nil:
		return nil, errors.New("there is verity data, but no root hash: --root-hash= is missing")
	case o.Verity.External:
		is |= verityFlag
		if o.Verity.Signature != nil {
			is |= signedFlag
		}
		p.Verity = o.Policy.verified(Root, 0, 0, o.Verity.RootHash, o.Verity.Signature)
		p.ReadOnly = p.ReadOnly || p.Verity != nil
	}
	if err := o.Policy.checkProtection(Root, is); err != nil {
		return nil, err
	}
	if fileSystem != LUKS {
		if err := o.Policy.CheckFileSystem(Root, fileSystem); err != nil {
			return nil, err
		}
	}
	return &Image{SectorSize: sector, Partitions: []Partition{p}}, nil
}

// verified says how to check a partition, or nothing if the policy has it used without.
func (p Policy) verified(designator string, offset, size int64, rootHash, signature []byte) *Verified {
	verity, signed := p.mayVerify(designator)
	if !verity {
		return nil
	}
	if !signed {
		signature = nil
	}
	return &Verified{Offset: offset, Size: size, RootHash: bytes.Clone(rootHash), Signature: bytes.Clone(signature)}
}

// choice is which partition of an image is what.
type choice struct {
	Options
	reader  io.ReaderAt
	table   *partitionTable
	found   map[string]entry
	ignored map[string]bool // there, but not to be used by the policy
	generic []entry
}

// choose goes through the partitions in the order of the table.
func (c *choice) choose() error {
	for _, e := range c.table.entries {
		if c.table.kind == "dos" {
			c.takeMBR(e)
		} else {
			c.takeGPT(e)
		}
	}
	for _, d := range []string{Root, Usr} {
		_, data := c.found[d]
		if c.Verity.RootHash != nil && c.Verity.covers(d) && !data && !c.ignored[d] {
			return errors.New("no partition has the UUID that belongs to the root hash")
		}
		_, hashes := c.found[d+verityOf]
		_, signature := c.found[d+signatureOf]
		if (hashes || signature) && !data && !c.ignored[d] || signature && !hashes {
			return fmt.Errorf("there is verity data or a signature for partition %s, but not all that belongs to it", d)
		}
	}
	root, hasRoot := c.found[Root]
	usr, hasUsr := c.found[Usr]
	if hasRoot && hasUsr && typeOf(root.kind).architecture != typeOf(usr.kind).architecture {
		return fmt.Errorf("root is for %s, /usr for %s", typeOf(root.kind).architecture, typeOf(usr.kind).architecture)
	}
	if hasRoot || hasUsr {
		return nil
	}
	return c.takeGeneric()
}

// takeGeneric falls back to a partition that is not marked as root, if there is one alone.
func (c *choice) takeGeneric() error {
	switch {
	case c.ignored[Root] || c.ignored[Usr]:
		return errors.New("image policy: the root partition is not to be used")
	case len(c.generic) > 1 && c.table.kind == "dos":
		return errors.New("several Linux partitions are marked bootable: which is the root?")
	case len(c.generic) > 1:
		return errors.New("no partition is marked as root, and several could be")
	case len(c.generic) == 0 && c.table.kind == "dos":
		return errors.New("no Linux partition (type 0x83) is marked bootable")
	case len(c.generic) == 0:
		return errors.New("no partition for root or /usr")
	case !c.Policy.mayUse(Root):
		return errors.New("image policy: the root partition is not to be used")
	}
	c.found[Root] = c.generic[0]
	return nil
}

func (c *choice) takeMBR(e entry) {
	switch {
	case e.kind == mbrLinux && e.flags == mbrBootable:
		c.generic = append(c.generic, e)
	case e.kind == mbrBootLoader:
		c.take(XBOOTLDR, e)
	}
}

func (c *choice) takeGPT(e entry) {
	t := typeOf(e.kind)
	hidden := uint64(flagNoAuto)
	if t.designator == ESP {
		hidden = flagNoBlockIO // which UEFI has for it instead, "Number and Location of System Partitions"
	}
	if e.flags&hidden != 0 {
		return
	}
	dataUUID, hashUUID := c.Verity.uuids()
	switch d := t.designator; {
	case d == "":
	case d == generic:
		c.generic = append(c.generic, e)
	case (d == Root || d == Usr) && c.Verity.covers(d) && dataUUID != "" && e.uuid != dataUUID:
	case strings.HasSuffix(d, verityOf) && (!c.Verity.covers(strings.TrimSuffix(d, verityOf)) || hashUUID != "" && e.uuid != hashUUID):
	case strings.HasSuffix(d, signatureOf) && !c.Verity.covers(strings.TrimSuffix(d, signatureOf)):
	default:
		c.take(d, e)
	}
}

// take takes the first partition of a kind, but for the operating system itself: of those for the machine's architecture the
// one with the newest version as its label.
func (c *choice) take(designator string, e entry) {
	if !c.Policy.mayUse(designator) {
		c.ignored[designator] = true
		return
	}
	before, taken := c.found[designator]
	if taken {
		better := preference(typeOf(e.kind).architecture, c.Architecture) - preference(typeOf(before.kind).architecture, c.Architecture)
		if better == 0 && typeOf(e.kind).architecture == typeOf(before.kind).architecture && isVersioned(designator) {
			better = compareVersions(e.label, before.label)
		}
		if better <= 0 {
			return
		}
	}
	c.found[designator] = e
}

// isVersioned reports whether several partitions of a kind are versions of one: root, /usr, and what checks them.
func isVersioned(designator string) bool {
	return strings.HasPrefix(designator, Root) || strings.HasPrefix(designator, Usr)
}

// prepareVerity finds the root hash in the image if it is not known yet, and refuses what cannot be.
func (c *choice) prepareVerity() error {
	_, rootHashes := c.found[Root+verityOf]
	_, usrHashes := c.found[Usr+verityOf]
	_, hasUsr := c.found[Usr]
	switch {
	case rootHashes && usrHashes:
		return errors.New("both root and /usr have verity data: only one can")
	case rootHashes && hasUsr:
		return errors.New("root has verity data, so that there cannot be a partition for /usr")
	}
	if _, usrSigned := c.found[Usr+signatureOf]; c.Verity.Designator == "" {
		c.Verity.Designator = Root
		if _, rootSigned := c.found[Root+signatureOf]; usrSigned && !rootSigned {
			c.Verity.Designator = Usr
		}
	}
	if _, found := c.found[c.Verity.Designator+verityOf]; c.Verity.RootHash != nil && !found && !c.ignored[c.Verity.Designator+verityOf] {
		return errors.New("no partition has the UUID of the verity data that belongs to the root hash")
	}
	e, found := c.found[c.Verity.Designator+signatureOf]
	if !found || c.Verity.Signature != nil {
		return nil
	}
	rootHash, signature, err := readSignature(c.reader, e)
	if err != nil {
		return err
	}
	if c.Verity.RootHash != nil && !bytes.Equal(rootHash, c.Verity.RootHash) {
		return errors.New("the image has a signature of another root hash")
	}
	c.Verity.RootHash, c.Verity.Signature = rootHash, signature
	return nil
}

// order is that in which partitions are mounted.
const order = "root usr home srv var tmp xbootldr esp"

// image applies the policy and looks into the partitions.
func (c *choice) image() (*Image, error) {
	image := &Image{Table: c.table.kind, SectorSize: c.table.sectorSize}
	for d := range strings.FieldsSeq(designators) {
		is := absentFlag
		if c.ignored[d] {
			is = unusedFlag
		}
		if e, found := c.found[d]; found {
			is = unprotectedFlag | encryptedFlag | c.verityState(d)
			if err := c.Policy.checkAttributes(d, e.flags); err != nil {
				return nil, err
			}
		}
		if err := c.Policy.checkProtection(d, is); err != nil {
			return nil, err
		}
	}
	for d := range strings.FieldsSeq(order) {
		e, found := c.found[d]
		if !found {
			continue
		}
		p, err := c.partition(d, e)
		if err != nil {
			return nil, err
		}
		image.Partitions = append(image.Partitions, p)
	}
	return image, nil
}

// verityState returns which of verity and signed a partition can be used with.
func (c *choice) verityState(designator string) (is flags) {
	if _, found := c.found[designator+verityOf]; found && c.Verity.covers(designator) && c.Verity.RootHash != nil {
		is = verityFlag
		if c.Verity.Signature != nil {
			is |= signedFlag
		}
	}
	return is
}

// partition looks into a partition that is used.
func (c *choice) partition(designator string, e entry) (p Partition, err error) {
	p = Partition{Designator: designator, Number: e.number, Offset: e.offset, Size: e.size}
	if c.table.kind == "gpt" && designator != ESP {
		p.ReadOnly, p.GrowFS = e.flags&flagReadOnly != 0, e.flags&flagGrowFS != 0
	}
	if p.FileSystem, err = FileSystem(c.reader, e.offset, e.size); err != nil {
		return p, fmt.Errorf("partition %s: %w", designator, err)
	}
	is := unprotectedFlag | c.verityState(designator)
	if p.FileSystem == LUKS {
		is = encryptedFlag
	}
	if err := c.Policy.checkProtection(designator, is); err != nil {
		return p, err
	}
	if is&verityFlag != 0 {
		hashes := c.found[designator+verityOf]
		p.Verity = c.Policy.verified(designator, hashes.offset, hashes.size, c.Verity.RootHash, c.Verity.Signature)
	}
	p.ReadOnly = p.ReadOnly || p.Verity != nil || AlwaysReadOnly(p.FileSystem)
	if p.FileSystem == LUKS {
		return p, nil
	}
	return p, c.Policy.CheckFileSystem(designator, p.FileSystem)
}
