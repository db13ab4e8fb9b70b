// SPDX-License-Identifier: GPL-2.0
//! nettle - the two ciphers, on Debian's libnettle. With port.rs the only file that holds `unsafe`.
//!
//! nettle's contexts are plain structs that call no allocator: each SA holds one, in place. Their sizes are
//! those of nettle/gcm.h and nettle/chacha-poly1305.h; tests/native/26-stack-rust compares them.

/// Bytes of struct gcm_aes256_ctx and of struct chacha_poly1305_ctx.
const GCM_AES256_SIZE: usize = 4400;
const CHACHA_POLY1305_SIZE: usize = 176;
pub const KEY_LEN: usize = 32;
pub const NONCE_LEN: usize = 12;
pub const ICV_LEN: usize = 16;

const CONTEXT_SIZE: usize =
    if GCM_AES256_SIZE > CHACHA_POLY1305_SIZE { GCM_AES256_SIZE } else { CHACHA_POLY1305_SIZE };

#[repr(C, align(16))]
struct Context([u64; CONTEXT_SIZE / 8]);

#[link(name = "nettle")]
extern "C" {
    fn nettle_gcm_aes256_set_key(context: *mut Context, key: *const u8);
    fn nettle_gcm_aes256_set_iv(context: *mut Context, length: usize, iv: *const u8);
    fn nettle_gcm_aes256_update(context: *mut Context, length: usize, data: *const u8);
    fn nettle_gcm_aes256_encrypt(context: *mut Context, length: usize, to: *mut u8, from: *const u8);
    fn nettle_gcm_aes256_decrypt(context: *mut Context, length: usize, to: *mut u8, from: *const u8);
    fn nettle_gcm_aes256_digest(context: *mut Context, length: usize, digest: *mut u8);
    fn nettle_chacha_poly1305_set_key(context: *mut Context, key: *const u8);
    fn nettle_chacha_poly1305_set_nonce(context: *mut Context, nonce: *const u8);
    fn nettle_chacha_poly1305_update(context: *mut Context, length: usize, data: *const u8);
    fn nettle_chacha_poly1305_encrypt(context: *mut Context, length: usize, to: *mut u8, from: *const u8);
    fn nettle_chacha_poly1305_decrypt(context: *mut Context, length: usize, to: *mut u8, from: *const u8);
    fn nettle_chacha_poly1305_digest(context: *mut Context, length: usize, digest: *mut u8);
    fn nettle_memeql_sec(a: *const u8, b: *const u8, length: usize) -> i32;
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    Aes256Gcm,
    ChaCha20Poly1305,
}

/// One key, ready for use.
pub struct Aead {
    cipher: Cipher,
    context: Context,
}

impl Aead {
    pub fn empty() -> Aead {
        Aead { cipher: Cipher::Aes256Gcm, context: Context([0; CONTEXT_SIZE / 8]) }
    }

    pub fn set_key(&mut self, cipher: Cipher, key: &[u8; KEY_LEN]) {
        self.cipher = cipher;
        // SAFETY: the context is large and aligned enough for either struct, the key has the 32 bytes that both read.
        unsafe {
            match cipher {
                Cipher::Aes256Gcm => nettle_gcm_aes256_set_key(&mut self.context, key.as_ptr()),
                Cipher::ChaCha20Poly1305 => nettle_chacha_poly1305_set_key(&mut self.context, key.as_ptr()),
            }
        }
    }

    /// Nothing of the key stays; the compiler may not leave these stores out.
    pub fn wipe(&mut self) {
        for word in self.context.0.iter_mut() {
            // SAFETY: a valid, exclusive reference.
            unsafe { core::ptr::write_volatile(word, 0) }
        }
    }

    fn start(&mut self, nonce: &[u8; NONCE_LEN], aad: &[u8]) {
        let context = &mut self.context;
        // SAFETY: a key was set; the lengths are those of the slices, and the nonce's is what both ciphers want.
        unsafe {
            match self.cipher {
                Cipher::Aes256Gcm => {
                    nettle_gcm_aes256_set_iv(context, NONCE_LEN, nonce.as_ptr());
                    nettle_gcm_aes256_update(context, aad.len(), aad.as_ptr());
                }
                Cipher::ChaCha20Poly1305 => {
                    nettle_chacha_poly1305_set_nonce(context, nonce.as_ptr());
                    nettle_chacha_poly1305_update(context, aad.len(), aad.as_ptr());
                }
            }
        }
    }

    fn digest(&mut self) -> [u8; ICV_LEN] {
        let mut icv = [0; ICV_LEN];
        // SAFETY: a message was started; the digest gets 16 bytes.
        unsafe {
            match self.cipher {
                Cipher::Aes256Gcm => nettle_gcm_aes256_digest(&mut self.context, ICV_LEN, icv.as_mut_ptr()),
                Cipher::ChaCha20Poly1305 => {
                    nettle_chacha_poly1305_digest(&mut self.context, ICV_LEN, icv.as_mut_ptr())
                }
            }
        }
        icv
    }

    /// Encrypts one message in place. Gives the ICV.
    pub fn seal(&mut self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> [u8; ICV_LEN] {
        self.start(nonce, aad);
        let (context, length, at) = (&mut self.context, text.len(), text.as_mut_ptr());
        // SAFETY: a message was started; nettle's `to` and `from` may be the same bytes.
        unsafe {
            match self.cipher {
                Cipher::Aes256Gcm => nettle_gcm_aes256_encrypt(context, length, at, at),
                Cipher::ChaCha20Poly1305 => nettle_chacha_poly1305_encrypt(context, length, at, at),
            }
        }
        self.digest()
    }

    /// Decrypts `from` into `to`, of the same length. False: the ICV is another, and `to` is not to be used.
    pub fn open(
        &mut self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        from: &[u8],
        to: &mut [u8],
        icv: &[u8; ICV_LEN],
    ) -> bool {
        if from.len() != to.len() {
            return false;
        }
        self.start(nonce, aad);
        // SAFETY: both slices are of one length, and apart.
        unsafe {
            match self.cipher {
                Cipher::Aes256Gcm => {
                    nettle_gcm_aes256_decrypt(&mut self.context, from.len(), to.as_mut_ptr(), from.as_ptr())
                }
                Cipher::ChaCha20Poly1305 => {
                    nettle_chacha_poly1305_decrypt(&mut self.context, from.len(), to.as_mut_ptr(), from.as_ptr())
                }
            }
        }
        let ours = self.digest();
        // SAFETY: both arrays have ICV_LEN bytes. Takes the same time wherever they differ.
        unsafe { nettle_memeql_sec(ours.as_ptr(), icv.as_ptr(), ICV_LEN) != 0 }
    }
}
