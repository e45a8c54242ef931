package dissect

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

func options(t testing.TB, policy string) Options {
	t.Helper()
	p, err := ParsePolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Architecture: "amd64", Policy: p}
}

// describe says what is used of an image in one line.
func describe(image *Image) string {
	var words []string
	for _, p := range image.Partitions {
		word := fmt.Sprintf("%s=%d:%s", p.Designator, p.Number, p.FileSystem)
		if p.ReadOnly {
			word += ":ro"
		}
		if p.GrowFS {
			word += ":grow"
		}
		if p.Verity != nil {
			word += ":verity"
			if p.Verity.Signature != nil {
				word += ":signed"
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func dissectBytes(image []byte, o Options) (*Image, error) {
	return Dissect(bytes.NewReader(image), int64(len(image)), o)
}

func expect(t *testing.T, image []byte, o Options, want, problem string) {
	t.Helper()
	got, err := dissectBytes(image, o)
	switch {
	case err == nil && (problem != "" || describe(got) != want):
		t.Errorf("%s, want %s%s", describe(got), want, problem)
	case err != nil && (problem == "" || !strings.Contains(err.Error(), problem)):
		t.Errorf("%v, want %s%s", err, want, problem)
	}
}

var root = part{kind: "root/x86-64", content: "ext4"}

func TestGPT(t *testing.T) {
	noAuto, readOnly, grow := uint64(1)<<63, uint64(1)<<60, uint64(1)<<59
	for name, test := range map[string]struct {
		parts         []part
		want, problem string
	}{
		"root":          {[]part{root}, "root=1:ext4", ""},
		"all":           {[]part{{kind: ESP, content: "vfat"}, {kind: Home, content: "xfs"}, root, {kind: Srv, content: "btrfs"}, {kind: Var, content: "ext4"}, {kind: Tmp, content: "ext4"}, {kind: XBOOTLDR, content: "vfat"}, {kind: Swap, content: "swap"}, {kind: "11111111111111111111111111111111", content: "xfs"}}, "root=3:ext4 home=2:xfs srv=4:btrfs var=5:ext4 tmp=6:ext4 xbootldr=7:vfat esp=1:vfat", ""},
		"usr alone":     {[]part{{kind: "usr/x86-64", content: "erofs"}}, "usr=1:erofs:ro", ""},
		"marks":         {[]part{{kind: "root/x86-64", content: "ext4", flags: readOnly}, {kind: Home, content: "ext4", flags: grow}}, "root=1:ext4:ro home=2:ext4:grow", ""},
		"no-auto":       {[]part{{kind: "root/x86-64", content: "xfs", flags: noAuto}, root, {kind: Home, flags: noAuto}}, "root=2:ext4", ""},
		"hidden ESP":    {[]part{root, {kind: ESP, flags: 2}}, "root=1:ext4", ""},
		"generic":       {[]part{{kind: generic, content: "ext4", flags: readOnly}, {kind: Home, content: "ext4"}}, "root=1:ext4:ro home=2:ext4", ""},
		"two generic":   {[]part{{kind: generic, content: "ext4"}, {kind: generic, content: "ext4"}}, "", "several could be"},
		"root, generic": {[]part{{kind: generic, content: "xfs"}, {kind: generic}, root}, "root=3:ext4", ""},
		"native":        {[]part{{kind: "root/x86", content: "xfs"}, root, {kind: "root/arm64", content: "btrfs"}}, "root=2:ext4", ""},
		"secondary":     {[]part{{kind: "root/arm64", content: "btrfs"}, {kind: "root/x86", content: "xfs"}}, "root=2:xfs", ""},
		"foreign":       {[]part{{kind: "root/arm64", content: "btrfs"}, {kind: "root/s390x", content: "xfs"}}, "root=1:btrfs", ""},
		"newest":        {[]part{{kind: "root/x86-64", label: "os_9", content: "xfs"}, {kind: "root/x86-64", label: "os_10", content: "ext4"}, {kind: "root/x86-64", label: "os_10~rc1", content: "btrfs"}}, "root=2:ext4", ""},
		"same version":  {[]part{{kind: "root/x86-64", content: "xfs"}, root}, "root=1:xfs", ""},
		"first home":    {[]part{root, {kind: Home, label: "1", content: "xfs"}, {kind: Home, label: "2", content: "ext4"}}, "root=1:ext4 home=2:xfs", ""},
		"no root":       {[]part{{kind: Home, content: "xfs"}}, "", "no partition for root or /usr"},
		"mixed":         {[]part{root, {kind: "usr/arm64", content: "xfs"}}, "", "root is for x86-64, /usr for arm64"},
		"empty root":    {[]part{{kind: "root/x86-64"}}, "", "no file system that is known"},
		"swap as root":  {[]part{{kind: "root/x86-64", content: "swap"}}, "", "file system swap is not mounted"},
		"FAT as root":   {[]part{{kind: "root/x86-64", content: "vfat"}}, "", "vfat has neither owners"},
		"ext4 ESP":      {[]part{root, {kind: ESP, content: "ext4"}}, "", "firmware needs vfat"},
		"LUKS":          {[]part{{kind: "root/x86-64", content: LUKS}}, "root=1:crypto_LUKS", ""},
	} {
		for _, sectorSize := range []int{512, 1024, 2048, 4096} {
			t.Run(fmt.Sprint(name, sectorSize), func(t *testing.T) {
				expect(t, buildGPT(t, sectorSize, test.parts...), options(t, ContainerPolicy), test.want, test.problem)
			})
		}
	}
}

func TestPlaces(t *testing.T) {
	image, err := dissectBytes(buildGPT(t, 4096, root, part{kind: Home, content: "xfs"}), options(t, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if p := image.Find(Home); image.SectorSize != 4096 || p.Offset != (64+partSectors)*4096 || p.Size != partSectors*4096 {
		t.Errorf("%+v", image)
	}
}

func TestMBR(t *testing.T) {
	linux, boot := [4]int{0x83, 0x80, 64, 100}, [4]int{0xea, 0, 200, 100}
	for name, test := range map[string]struct {
		rows          [][4]int
		want, problem string
	}{
		"root":        {[][4]int{linux}, "root=1:ext4", ""},
		"boot":        {[][4]int{boot, linux, {0x83, 0, 300, 100}}, "root=2:ext4 xbootldr=1:ext4", ""},
		"unmarked":    {[][4]int{{0x83, 0, 64, 100}}, "", "is marked bootable"},
		"two":         {[][4]int{linux, {0x83, 0x80, 200, 100}}, "", "several Linux partitions"},
		"other":       {[][4]int{{0x07, 0x80, 64, 100}}, "", "is marked bootable"},
		"overlapping": {[][4]int{linux, {0x83, 0, 100, 100}}, "", "partitions 1 and 2 overlap"},
		"truncated":   {[][4]int{{0x83, 0x80, 64, 5000}}, "", "partition 1 ends at byte 2592768, beyond the end"},
		"absurd":      {[][4]int{{0x83, 0x80, -1, -1}}, "", "beyond the end"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, buildMBR(t, "ext4", test.rows...), options(t, "*"), test.want, test.problem)
		})
	}
}

func TestLogicalPartitions(t *testing.T) {
	build := func(next int) []byte {
		image := buildMBR(t, "ext4", [4]int{0x05, 0, 100, 800})
		for i, link := range []int{100, 300} {
			boot := image[link*sector:]
			boot[510], boot[511] = 0x55, 0xaa
			putRow(boot, 0, [4]int{0x83, 0x80 * i, 10, 150})
			if i == 0 {
				putRow(boot, 1, [4]int{0x05, 0, next, 200})
			}
			putFileSystem(t, image[(link+10)*sector:], "ext4")
		}
		return image
	}
	expect(t, build(200), options(t, "*"), "root=6:ext4", "")
	circle := build(200)
	putRow(circle[300*sector:], 1, [4]int{0x05, 0, 200, 200})
	expect(t, circle, options(t, "*"), "", "more than 128 logical ones")
	expect(t, build(100000), options(t, "*"), "", "read logical partition 6: unexpected EOF")
	expect(t, build(150), options(t, "*"), "", "logical partition 6 is not valid")
}

func TestWholeImage(t *testing.T) {
	for _, name := range []string{"ext4", "xfs", "btrfs", "squashfs", "erofs", "f2fs", "vfat", LUKS, VerityHash, "iso9660", ""} {
		image := make([]byte, 128<<10)
		putFileSystem(t, image, name)
		want, problem := "root=0:"+name, ""
		switch name {
		case "squashfs", "erofs":
			want += ":ro"
		case "vfat":
			problem = "neither owners nor modes"
		case VerityHash, "iso9660":
			problem = "file system " + name + " is not mounted from images"
		case "":
			problem = "neither a file system nor a partition table"
		}
		expect(t, image, options(t, ContainerPolicy), want, problem)
	}
	both := make([]byte, 128<<10)
	putFileSystem(t, both, "xfs")
	putFileSystem(t, both, "btrfs")
	expect(t, both, options(t, "*"), "", "looks like btrfs and xfs at once")
	for _, size := range []int{0, 1, 511, 512, 1024} {
		expect(t, make([]byte, size), options(t, "*"), "", "neither a file system")
	}
}

// What is damaged ends in an error that says what, and at once.
func TestDamagedGPT(t *testing.T) {
	edit := func(change func(header, entries []byte)) []byte {
		image := buildGPT(t, 512, root, part{kind: Home, content: "ext4"})
		last := len(image)/512 - 1
		clear(image[last*512:]) // without it the second header would count
		change(image[512:], image[1024:])
		return image
	}
	reseal := func(h, entries []byte) { putEntriesSum(h, entries); sealHeader(h) }
	for name, test := range map[string]struct {
		change  func(h, entries []byte)
		problem string
	}{
		"signature":     {func(h, e []byte) { h[0] = 'X' }, "no header"},
		"header":        {func(h, e []byte) { h[60]++ }, "checksum of the header"},
		"entries":       {func(h, e []byte) { e[60]++ }, "checksum of the entries"},
		"length":        {func(h, e []byte) { h[12] = 0 }, "header of 0 bytes"},
		"long":          {func(h, e []byte) { h[14] = 1 }, "header of 65628 bytes"},
		"elsewhere":     {func(h, e []byte) { h[24] = 9; sealHeader(h) }, "in sector 9"},
		"many":          {func(h, e []byte) { h[83] = 0xff; sealHeader(h) }, "entries of 128 bytes"},
		"none":          {func(h, e []byte) { h[80] = 0; sealHeader(h) }, "0 entries"},
		"large entries": {func(h, e []byte) { h[87] = 0xff; sealHeader(h) }, "128 entries of"},
		"far":           {func(h, e []byte) { h[79] = 0xff; sealHeader(h) }, "beyond the end of the image"},
		"negative size": {func(h, e []byte) { e[40], e[41] = 1, 0; reseal(h, e) }, "partition 1 is from sector"},
		"huge":          {func(h, e []byte) { e[47] = 0xff; h[55] = 0xff; reseal(h, e) }, "partition 1 is from sector"},
		"beyond":        {func(h, e []byte) { e[41] += 0x30; h[50] = 0xff; reseal(h, e) }, "beyond the end of the image"},
		"on the table":  {func(h, e []byte) { e[32], e[33] = 1, 0; reseal(h, e) }, "partition 1 is from sector 1"},
		"overlap":       {func(h, e []byte) { copy(e[gptEntry+32:gptEntry+48], e[32:48]); reseal(h, e) }, "overlap"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, edit(test.change), options(t, "*"), "", test.problem) })
	}
	t.Run("two sizes", func(t *testing.T) {
		image := buildGPT(t, 512, root)
		copy(image[4096:], gptSignature)
		expect(t, image, options(t, "*"), "", "two headers")
	})
	t.Run("second header", func(t *testing.T) {
		image := buildGPT(t, 512, root)
		image[512+60]++
		expect(t, image, options(t, "*"), "root=1:ext4", "")
	})
	t.Run("truncated", func(t *testing.T) {
		image := buildGPT(t, 512, root)
		for _, size := range []int{513, 1024, 4096, 20000, 64 * 512} {
			if _, err := dissectBytes(image[:size], options(t, "*")); err == nil {
				t.Errorf("%d bytes are enough", size)
			}
		}
	})
}

func putEntriesSum(h, entries []byte) {
	putHeaderSum := func(sum []byte) { copy(h[88:92], sum) }
	sum := make([]byte, 4)
	binary.LittleEndian.PutUint32(sum, crc32.ChecksumIEEE(entries[:128*gptEntry]))
	putHeaderSum(sum)
}

func TestPolicyOnImages(t *testing.T) {
	home := part{kind: Home, content: "ext4"}
	secret := part{kind: Home, content: LUKS}
	marked := part{kind: "root/x86-64", content: "ext4", flags: 1 << 60}
	for _, test := range []struct {
		policy        string
		parts         []part
		want, problem string
	}{
		{"root=unprotected", []part{root, home}, "root=1:ext4", ""},
		{"root=unprotected:home=absent", []part{root, home}, "", "partition home is unused, but must be absent"},
		{"root=unprotected:home=encrypted", []part{root, home}, "", "partition home is unprotected, but must be encrypted"},
		{"root=unprotected:home=encrypted", []part{root, secret}, "root=1:ext4 home=2:crypto_LUKS", ""},
		{"root=unprotected:home=unprotected", []part{root, secret}, "", "partition home is encrypted, but must be unprotected"},
		{"root=unprotected:home=unprotected", []part{root}, "", "partition home is absent, but must be unprotected"},
		{"root=verity", []part{root}, "", "partition root is encrypted or unprotected, but must be verity"},
		{"-", []part{root}, "", "the root partition is not to be used"},
		{"~", []part{root}, "", "the root partition is not to be used"},
		{"*", []part{root, home}, "root=1:ext4 home=2:ext4", ""},
		{"root=read-only-on", []part{root}, "", "partition root is read-only-off"},
		{"root=read-only-on", []part{marked}, "root=1:ext4:ro", ""},
		{"root=growfs-on", []part{root}, "", "partition root is growfs-off"},
		{"root=erofs+squashfs", []part{root}, "", "partition root has file system ext4, but must have erofs or squashfs"},
		{"root=ext4", []part{root}, "root=1:ext4", ""},
		{"=unprotected", []part{root, home}, "", "partition usr is absent, but must be unprotected"},
		{"=open", []part{{kind: generic, content: "ext4"}}, "root=1:ext4", ""},
		{"home=open", []part{{kind: generic, content: "ext4"}}, "", "not to be used"},
	} {
		t.Run(test.policy, func(t *testing.T) {
			expect(t, buildGPT(t, 512, test.parts...), options(t, test.policy), test.want, test.problem)
		})
	}
}

func TestVerity(t *testing.T) {
	hash := make([]byte, 32)
	for i := range hash {
		hash[i] = byte(i + 1)
	}
	id := hex.EncodeToString(hash)
	data := part{kind: "root/x86-64", content: "ext4", uuid: id[:32]}
	hashes := part{kind: "root-verity/x86-64", content: VerityHash, uuid: id[32:]}
	signature := part{kind: "root-verity-sig/x86-64", raw: fmt.Appendf(nil, `{"rootHash":"%s","signature":"%s"}`, id, base64.StdEncoding.EncodeToString([]byte("sig")))}
	usr := []part{root, {kind: "usr/x86-64", content: "erofs", uuid: id[:32]}, {kind: "usr-verity/x86-64", content: VerityHash, uuid: id[32:]}}
	foreign := part{kind: "root/x86-64", content: "xfs", label: "9"}
	for name, test := range map[string]struct {
		policy        string
		verity        Verity
		parts         []part
		want, problem string
	}{
		"no hash":          {"*", Verity{}, []part{data, hashes}, "root=1:ext4", ""},
		"hash":             {"*", Verity{RootHash: hash}, []part{foreign, data, hashes}, "root=2:ext4:ro:verity", ""},
		"hash and sig":     {"*", Verity{RootHash: hash, Signature: []byte("x")}, []part{data, hashes}, "root=1:ext4:ro:verity:signed", ""},
		"sig in image":     {"*", Verity{}, []part{data, hashes, signature}, "root=1:ext4:ro:verity:signed", ""},
		"sig not wanted":   {"root=verity", Verity{RootHash: hash}, []part{data, hashes, signature}, "root=1:ext4:ro:verity", ""},
		"none wanted":      {"root=unprotected:root-verity=unprotected:root-verity-sig=unused", Verity{RootHash: hash}, []part{data, hashes, signature}, "root=1:ext4", ""},
		"sig needed":       {"root=signed", Verity{RootHash: hash}, []part{data, hashes}, "", "but must be signed"},
		"sig missing":      {"root=signed:root-verity-sig=open", Verity{RootHash: hash}, []part{data, hashes}, "", "partition root is verity or encrypted or unprotected, but must be signed"},
		"sig there":        {"root=signed", Verity{}, []part{data, hashes, signature}, "root=1:ext4:ro:verity:signed", ""},
		"wrong hash":       {"*", Verity{RootHash: bytes.Repeat([]byte{9}, 32)}, []part{data, hashes}, "", "no partition has the UUID"},
		"wrong hash alone": {"*", Verity{RootHash: bytes.Repeat([]byte{9}, 32)}, []part{root}, "", "no partition has the UUID"},
		"no verity data":   {"*", Verity{RootHash: hash}, []part{data}, "", "UUID of the verity data"},
		"data missing":     {"*", Verity{}, []part{hashes}, "", "not all that belongs"},
		"hashes missing":   {"*", Verity{}, []part{data, signature}, "", "not all that belongs"},
		"usr":              {"*", Verity{RootHash: hash, Designator: Usr}, usr, "root=1:ext4 usr=2:erofs:ro:verity", ""},
		"root with usr":    {"*", Verity{RootHash: hash}, append([]part{data, hashes}, usr[1]), "", "cannot be a partition for /usr"},
		"external":         {"*", Verity{RootHash: hash, External: true}, []part{data, hashes}, "", "--verity-data"},
		"bad sig":          {"*", Verity{}, []part{data, hashes, {kind: "root-verity-sig/x86-64", raw: []byte("{")}}, "", "signature of a root hash"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, test.policy)
			o.Verity = test.verity
			expect(t, buildGPT(t, 512, test.parts...), o, test.want, test.problem)
		})
	}
	whole := make([]byte, 128<<10)
	putFileSystem(t, whole, "ext4")
	for _, test := range []struct {
		verity        Verity
		want, problem string
	}{
		{Verity{RootHash: hash, External: true}, "root=0:ext4:ro:verity", ""},
		{Verity{RootHash: hash}, "", "--verity-data= is missing"},
		{Verity{External: true}, "", "--root-hash= is missing"},
		{Verity{RootHash: hash, External: true, Designator: Usr}, "", "root hash for /usr"},
	} {
		o := options(t, "*")
		o.Verity = test.verity
		expect(t, whole, o, test.want, test.problem)
	}
}

func TestESPTarget(t *testing.T) {
	for _, test := range []struct {
		empty    string
		xbootldr bool
		want     string
	}{{"/efi /boot", false, "/efi"}, {"/boot", false, "/boot"}, {"/boot", true, ""}, {"", false, ""}, {"/efi", true, "/efi"}} {
		image := &Image{}
		if test.xbootldr {
			image.Partitions = append(image.Partitions, Partition{Designator: XBOOTLDR})
		}
		if got := image.ESPTarget(func(name string) bool { return slices.Contains(strings.Fields(test.empty), name) }); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}
