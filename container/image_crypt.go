package container

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/image/dissect"
)

// passwordCredential is the credential with the password or key of encrypted partitions, as for systemd-nspawn(1).
const passwordCredential = "dissect.passphrase"

// passwordTries are how often the user is asked.
const passwordTries = 3

// maxSidecar bounds what is read of files beside an image.
const maxSidecar = 1 << 20

// readVerity finds out how the image is checked: by the command line, by attributes of the image, and by files beside it, see
// --root-hash= and --verity-data= of systemd-nspawn(1).
func (i *Image) readVerity() (v dissect.Verity, err error) {
	line := &i.options.Line
	beside := strings.TrimSuffix(i.options.Path, ".raw")
	if strings.HasPrefix(beside, "/dev/") || strings.HasPrefix(beside, "/sys/") {
		beside = "" // nobody puts files there
	}
	suffix := ""
	switch text, usr, usrErr := line.RootHash, "", error(nil); {
	case text != "":
		v.Designator, suffix = dissect.Root, ".roothash"
		v.RootHash, err = dissect.ParseRootHash(text)
	case beside != "":
		if text, err = i.sidecarHash("user.verity.roothash", beside+".roothash"); text != "" {
			v.Designator, suffix = dissect.Root, ".roothash"
			v.RootHash, err = dissect.ParseRootHash(text)
		} else if usr, usrErr = i.sidecarHash("user.verity.usrhash", beside+".usrhash"); usr != "" {
			v.Designator, suffix = dissect.Usr, ".usrhash"
			v.RootHash, usrErr = dissect.ParseRootHash(usr)
		}
		err = errors.Join(err, usrErr)
	}
	if err != nil {
		return v, fmt.Errorf("root hash: %w", err)
	}
	if v.Signature, err = i.readSignature(beside, suffix); err != nil {
		return v, fmt.Errorf("signature of the root hash: %w", err)
	}
	if i.verityData = line.VerityData; i.verityData == "" && beside != "" && v.RootHash != nil {
		if _, err := os.Stat(beside + ".verity"); err == nil {
			i.verityData = beside + ".verity"
		}
	}
	v.External = i.verityData != ""
	return v, nil
}

// sidecarHash reads a root hash from an extended attribute of the image, or else from a file; nothing if there is neither.
func (i *Image) sidecarHash(attribute, file string) (string, error) {
	text, err := kernel.Attribute(i.options.Path, attribute)
	if err == nil && text == "" {
		var data []byte
		data, err = readSidecar(file)
		text = string(data)
	}
	return strings.TrimSpace(text), err
}

// readSignature reads the signature of the root hash, nil if there is none.
func (i *Image) readSignature(beside, suffix string) ([]byte, error) {
	line := &i.options.Line
	if signature, literal := line.LiteralSignature(); literal {
		return signature, nil
	}
	if line.Signature != "" {
		signature, err := readSidecar(line.Signature)
		if err == nil && len(signature) == 0 {
			err = fmt.Errorf("%s is missing or empty", line.Signature)
		}
		return signature, err
	}
	if beside == "" || suffix == "" {
		return nil, nil
	}
	return readSidecar(beside + suffix + ".p7s")
}

// readSidecar reads a small regular file; one that is missing is empty.
func readSidecar(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSidecar {
		return nil, fmt.Errorf("read %s: not a regular file of at most %d bytes", path, maxSidecar)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxSidecar))
}

// unlock makes block devices of what is checked or encrypted.
func (i *Image) unlock() error {
	for n := range i.partitions {
		p := &i.partitions[n]
		var opened *kernel.BlockDevice
		var err error
		switch {
		case p.Verity != nil:
			opened, err = i.verify(p)
		case p.FileSystem == dissect.LUKS:
			opened, err = i.decrypt(p)
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("partition %s: %w", p.Designator, err)
		}
		p.device.Close() // the new one has it
		p.device = opened
	}
	return kernel.RemoveStaleMappings()
}

// verify has the kernel check the data of a partition whenever it is read.
func (i *Image) verify(p *imagePartition) (*kernel.BlockDevice, error) {
	source, size := i.file, p.Verity.Size
	if size == 0 {
		file, length, _, err := kernel.OpenImage(i.verityData, true)
		if err != nil {
			return nil, fmt.Errorf("verity data: %w", err)
		}
		defer file.Close()
		source, size = file, length
	}
	hashes, err := kernel.AttachLoop(source, p.Verity.Offset, size, i.layout.SectorSize, true)
	if err != nil {
		return nil, err
	}
	defer hashes.Close()
	rootHash := hex.EncodeToString(p.Verity.RootHash)
	device, err := kernel.OpenVerity(p.device, hashes, rootHash, p.Verity.Signature)
	if err != nil && p.Verity.Signature != nil && !i.policy.NeedsSignature(p.Designator) {
		i.log(Info, fmt.Sprintf("%s: partition %s: the signature of the root hash cannot be checked, which the image policy does not demand: %v", i.options.Path, p.Designator, err))
		device, err = kernel.OpenVerity(p.device, hashes, rootHash, nil)
	}
	return device, err
}

// decrypt opens an encrypted partition with the key that opened another, that of the credential, or a password of the user.
func (i *Image) decrypt(p *imagePartition) (*kernel.BlockDevice, error) {
	keys := i.credentialKeys()
	if i.key != nil {
		keys = append([][]byte{i.key}, keys...)
	}
	for try := 0; ; try++ {
		for _, key := range keys {
			device, err := kernel.OpenLUKS(p.device, key, p.ReadOnly)
			if err == nil {
				if err = i.lookInto(p, device); err != nil {
					device.Close()
				}
				i.key = key
				return device, err
			}
			if !errors.Is(err, kernel.ErrWrongKey) {
				return nil, err
			}
		}
		switch {
		case try == passwordTries:
			return nil, kernel.ErrWrongKey
		case i.options.AskNobody:
			return nil, fmt.Errorf("it is encrypted, there is no credential %s that opens it, and --no-ask-password is given", passwordCredential)
		}
		password, err := kernel.AskPassword("Please enter image passphrase:")
		if err != nil {
			return nil, fmt.Errorf("it is encrypted, and there is no credential %s that opens it: %w", passwordCredential, err)
		}
		keys = [][]byte{password}
	}
}

// credentialKeys returns what the credential may mean: a key file, or a password with a line break behind it.
func (i *Image) credentialKeys() [][]byte {
	directory := os.Getenv("CREDENTIALS_DIRECTORY")
	if directory == "" {
		return nil
	}
	key, err := readSidecar(filepath.Join(directory, passwordCredential))
	if err != nil || len(key) == 0 {
		return nil
	}
	if password, hasBreak := bytes.CutSuffix(key, []byte("\n")); hasBreak {
		return [][]byte{key, password}
	}
	return [][]byte{key}
}

// lookInto finds out what is in a partition that was decrypted.
func (i *Image) lookInto(p *imagePartition, device *kernel.BlockDevice) error {
	size, err := device.Size()
	if err != nil {
		return err
	}
	if p.FileSystem, err = dissect.FileSystem(device.File(), 0, size); err != nil {
		return err
	}
	p.ReadOnly = p.ReadOnly || dissect.AlwaysReadOnly(p.FileSystem)
	return i.policy.CheckFileSystem(p.Designator, p.FileSystem)
}
