import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.security.SecureRandom;
import java.util.Base64;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.cryptopro.ECGOST3410NamedCurves;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.crypto.Digest;
import org.bouncycastle.crypto.digests.GOST3411Digest;
import org.bouncycastle.crypto.digests.SHA1Digest;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.engines.GOST28147Engine;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.signers.ECGOST3410Signer;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.ContentVerifier;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.OperatorCreationException;

/**
 * The O'z DSt and O'z MSt families for BouncyCastle's operator interfaces, on
 * curve A, where all E-IMZO certificates are. Each object knows one family and
 * refuses the identifiers of the other.
 */
class Family {
    static final ECDomainParameters CURVE;
    static final SecureRandom RANDOM = new SecureRandom();

    static {
        X9ECParameters p = ECGOST3410NamedCurves.getByNameX9("GostR3410-2001-CryptoPro-A");
        CURVE = new ECDomainParameters(p.getCurve(), p.getG(), p.getN(), p.getH());
    }

    final AlgorithmIdentifier digest, signature;

    Family(String name) {
        String arc = name.equals("ozdst") ? "1.2.860.3.15.1." : "1.2.860.3.15.2.";
        digest = algorithm(arc + "3.2.1.1");
        signature = algorithm(arc + "1.2.2.2.2");
    }

    static AlgorithmIdentifier algorithm(String oid) {
        return new AlgorithmIdentifier(new ASN1ObjectIdentifier(oid), DERNull.INSTANCE);
    }

    static byte[] decode(String s) {
        return s.equals(".") ? new byte[0] : Base64.getDecoder().decode(s);
    }

    static String encode(byte[] b) {
        return b.length == 0 ? "." : Base64.getEncoder().encodeToString(b);
    }

    static byte[] sum(Digest d, byte[] b) {
        d.update(b, 0, b.length);
        byte[] out = new byte[d.getDigestSize()];
        d.doFinal(out, 0);
        return out;
    }

    static Digest gost() {
        return new GOST3411Digest(GOST28147Engine.getSBox("D-A"));
    }

    /** Digests of the family, and the SHA ones that identify certificates. */
    DigestCalculatorProvider digests() {
        return new DigestCalculatorProvider() {
            public DigestCalculator get(final AlgorithmIdentifier id) throws OperatorCreationException {
                final String oid = id.getAlgorithm().getId();
                final Digest d;
                if (oid.equals(digest.getAlgorithm().getId())) {
                    d = gost();
                } else if (oid.equals("1.3.14.3.2.26")) {
                    d = new SHA1Digest();
                } else if (oid.equals("2.16.840.1.101.3.4.2.1")) {
                    d = new SHA256Digest();
                } else {
                    throw new OperatorCreationException("digest " + oid);
                }
                final ByteArrayOutputStream data = new ByteArrayOutputStream();
                return new DigestCalculator() {
                    public AlgorithmIdentifier getAlgorithmIdentifier() { return id; }
                    public OutputStream getOutputStream() { return data; }
                    public byte[] getDigest() {
                        byte[] out = sum(d, data.toByteArray());
                        data.reset();
                        return out;
                    }
                };
            }
        };
    }

    ContentSigner signer(final BigInteger d) {
        final ByteArrayOutputStream data = new ByteArrayOutputStream();
        return new ContentSigner() {
            public AlgorithmIdentifier getAlgorithmIdentifier() { return signature; }
            public OutputStream getOutputStream() { return data; }
            public byte[] getSignature() {
                ECGOST3410Signer s = new ECGOST3410Signer();
                s.init(true, new ParametersWithRandom(new ECPrivateKeyParameters(d, CURVE), RANDOM));
                BigInteger[] rs = s.generateSignature(sum(gost(), data.toByteArray()));
                byte[] out = new byte[64];
                put(rs[1], out, 32);
                put(rs[0], out, 64);
                return out;
            }
        };
    }

    private static void put(BigInteger v, byte[] out, int end) {
        byte[] b = v.toByteArray();
        for (int i = 0; i < 32 && i < b.length; i++) {
            out[end - 1 - i] = b[b.length - 1 - i];
        }
    }

    ContentVerifierProvider verifier(final X509CertificateHolder cert) {
        final SubjectPublicKeyInfo key = cert.getSubjectPublicKeyInfo();
        byte[] xy = ASN1OctetString.getInstance(key.getPublicKeyData().getBytes()).getOctets();
        byte[] x = new byte[32], y = new byte[32];
        for (int i = 0; i < 32; i++) {
            x[i] = xy[31 - i];
            y[i] = xy[63 - i];
        }
        final ECPublicKeyParameters point = new ECPublicKeyParameters(
            CURVE.getCurve().createPoint(new BigInteger(1, x), new BigInteger(1, y)), CURVE);
        return new ContentVerifierProvider() {
            public boolean hasAssociatedCertificate() { return true; }
            public X509CertificateHolder getAssociatedCertificate() { return cert; }
            public ContentVerifier get(final AlgorithmIdentifier id) throws OperatorCreationException {
                if (!id.getAlgorithm().equals(signature.getAlgorithm())) {
                    throw new OperatorCreationException("signature " + id.getAlgorithm());
                }
                final ByteArrayOutputStream data = new ByteArrayOutputStream();
                return new ContentVerifier() {
                    public AlgorithmIdentifier getAlgorithmIdentifier() { return id; }
                    public OutputStream getOutputStream() { return data; }
                    public boolean verify(byte[] sig) {
                        if (sig.length != 64) {
                            return false;
                        }
                        byte[] r = new byte[32], s = new byte[32];
                        System.arraycopy(sig, 0, s, 0, 32);
                        System.arraycopy(sig, 32, r, 0, 32);
                        ECGOST3410Signer v = new ECGOST3410Signer();
                        v.init(false, point);
                        return v.verifySignature(sum(gost(), data.toByteArray()), new BigInteger(1, r), new BigInteger(1, s));
                    }
                };
            }
        };
    }
}
