import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.cryptopro.ECGOST3410NamedCurves;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignatureAlgorithmNameGenerator;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.SignerInfoGeneratorBuilder;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.crypto.digests.GOST3411Digest;
import org.bouncycastle.crypto.engines.GOST28147Engine;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.signers.ECGOST3410Signer;
import org.bouncycastle.math.ec.ECPoint;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.ContentVerifier;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.SignatureAlgorithmIdentifierFinder;
import org.bouncycastle.util.CollectionStore;

/**
 * Makes and verifies CMS documents of the O'z DSt and O'z MSt families with
 * BouncyCastle's CMS classes. One question a line, one answer a line:
 *
 *   sign FAMILY attached|detached attrs|plain BER|DER CONTENT D:CERT[,D:CERT...]
 *   verify CONTENT|- DOCUMENT
 *
 * FAMILY is ozdst or ozmst, D the private key in hex, everything else base64
 * (a single dot for no octets). Answers: "ok DOCUMENT", "ok SIGNERS CONTENT",
 * or "no REASON".
 */
public class CMSPeer {
    static final SecureRandom RANDOM = new SecureRandom();
    static final ECDomainParameters CURVE;

    static {
        X9ECParameters p = ECGOST3410NamedCurves.getByNameX9("GostR3410-2001-CryptoPro-A");
        CURVE = new ECDomainParameters(p.getCurve(), p.getG(), p.getN(), p.getH());
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                String[] f = line.split(" ");
                answer = f[0].equals("sign") ? sign(f) : verify(f);
            } catch (Exception e) {
                answer = "no " + e.toString().replaceAll("\\s+", " ");
            }
            out.println(answer);
        }
    }

    static byte[] decode(String s) {
        return s.equals(".") ? new byte[0] : Base64.getDecoder().decode(s);
    }

    static String encode(byte[] b) {
        return b.length == 0 ? "." : Base64.getEncoder().encodeToString(b);
    }

    static AlgorithmIdentifier algorithm(String oid) {
        return new AlgorithmIdentifier(new ASN1ObjectIdentifier(oid), DERNull.INSTANCE);
    }

    static AlgorithmIdentifier digestOf(String family) {
        return algorithm(family.equals("ozdst") ? "1.2.860.3.15.1.3.2.1.1" : "1.2.860.3.15.2.3.2.1.1");
    }

    static AlgorithmIdentifier signatureOf(String family) {
        return algorithm(family.equals("ozdst") ? "1.2.860.3.15.1.1.2.2.2.2" : "1.2.860.3.15.2.1.2.2.2.2");
    }

    static byte[] hash(byte[] b) {
        GOST3411Digest h = new GOST3411Digest(GOST28147Engine.getSBox("D-A"));
        h.update(b, 0, b.length);
        byte[] sum = new byte[32];
        h.doFinal(sum, 0);
        return sum;
    }

    static class Calculator implements DigestCalculator {
        final AlgorithmIdentifier id;
        final ByteArrayOutputStream data = new ByteArrayOutputStream();

        Calculator(AlgorithmIdentifier id) { this.id = id; }
        public AlgorithmIdentifier getAlgorithmIdentifier() { return id; }
        public OutputStream getOutputStream() { return data; }
        public byte[] getDigest() {
            byte[] sum = hash(data.toByteArray());
            data.reset();
            return sum;
        }
    }

    static class Signer implements ContentSigner {
        final String family;
        final BigInteger d;
        final ByteArrayOutputStream data = new ByteArrayOutputStream();

        Signer(String family, BigInteger d) { this.family = family; this.d = d; }
        public AlgorithmIdentifier getAlgorithmIdentifier() { return signatureOf(family); }
        public OutputStream getOutputStream() { return data; }
        public byte[] getSignature() {
            ECGOST3410Signer s = new ECGOST3410Signer();
            s.init(true, new ParametersWithRandom(new ECPrivateKeyParameters(d, CURVE), RANDOM));
            BigInteger[] rs = s.generateSignature(hash(data.toByteArray()));
            byte[] out = new byte[64];
            put(rs[1], out, 32);
            put(rs[0], out, 64);
            return out;
        }

        static void put(BigInteger v, byte[] out, int end) {
            byte[] b = v.toByteArray();
            for (int i = 0; i < 32 && i < b.length; i++) {
                out[end - 1 - i] = b[b.length - 1 - i];
            }
        }
    }

    static String sign(String[] f) throws Exception {
        final String family = f[1];
        boolean attached = f[2].equals("attached");
        DigestCalculatorProvider digests = new DigestCalculatorProvider() {
            public DigestCalculator get(AlgorithmIdentifier ignored) { return new Calculator(digestOf(family)); }
        };
        CMSSignedDataGenerator g = new CMSSignedDataGenerator();
        List<X509CertificateHolder> certs = new ArrayList<>();
        for (String who : f[6].split(",")) {
            String[] kc = who.split(":");
            X509CertificateHolder cert = new X509CertificateHolder(decode(kc[1]));
            certs.add(cert);
            g.addSignerInfoGenerator(new SignerInfoGeneratorBuilder(digests)
                .setDirectSignature(f[3].equals("plain"))
                .setContentDigest(digestOf(family))
                .build(new Signer(family, new BigInteger(kc[0], 16)), cert));
        }
        g.addCertificates(new CollectionStore<X509CertificateHolder>(certs));
        CMSSignedData sd = g.generate(new CMSProcessableByteArray(decode(f[5])), attached);
        return "ok " + encode(f[4].equals("DER") ? sd.toASN1Structure().getEncoded("DER") : sd.getEncoded());
    }

    static ECPublicKeyParameters publicKey(X509CertificateHolder cert) {
        byte[] xy = ASN1OctetString.getInstance(cert.getSubjectPublicKeyInfo().getPublicKeyData().getBytes()).getOctets();
        byte[] x = new byte[32], y = new byte[32];
        for (int i = 0; i < 32; i++) {
            x[i] = xy[31 - i];
            y[i] = xy[63 - i];
        }
        ECPoint q = CURVE.getCurve().createPoint(new BigInteger(1, x), new BigInteger(1, y));
        return new ECPublicKeyParameters(q, CURVE);
    }

    static SignerInformationVerifier verifier(final X509CertificateHolder cert) {
        final ContentVerifierProvider contents = new ContentVerifierProvider() {
            public boolean hasAssociatedCertificate() { return true; }
            public X509CertificateHolder getAssociatedCertificate() { return cert; }
            public ContentVerifier get(final AlgorithmIdentifier id) throws OperatorCreationException {
                String oid = id.getAlgorithm().getId();
                if (!oid.equals(signatureOf("ozdst").getAlgorithm().getId()) && !oid.equals(signatureOf("ozmst").getAlgorithm().getId())) {
                    throw new OperatorCreationException("signature algorithm " + oid);
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
                        v.init(false, publicKey(cert));
                        return v.verifySignature(hash(data.toByteArray()), new BigInteger(1, r), new BigInteger(1, s));
                    }
                };
            }
        };
        DigestCalculatorProvider digests = new DigestCalculatorProvider() {
            public DigestCalculator get(AlgorithmIdentifier id) throws OperatorCreationException {
                String oid = id.getAlgorithm().getId();
                if (!oid.equals(digestOf("ozdst").getAlgorithm().getId()) && !oid.equals(digestOf("ozmst").getAlgorithm().getId())) {
                    throw new OperatorCreationException("digest " + oid);
                }
                return new Calculator(id);
            }
        };
        CMSSignatureAlgorithmNameGenerator names = new CMSSignatureAlgorithmNameGenerator() {
            public String getSignatureName(AlgorithmIdentifier digest, AlgorithmIdentifier signature) {
                return signature.getAlgorithm().getId();
            }
        };
        SignatureAlgorithmIdentifierFinder finder = new SignatureAlgorithmIdentifierFinder() {
            public AlgorithmIdentifier find(String name) { return algorithm(name); }
        };
        return new SignerInformationVerifier(names, finder, contents, digests);
    }

    @SuppressWarnings("unchecked")
    static String verify(String[] f) throws Exception {
        CMSSignedData sd = f[1].equals("-")
            ? new CMSSignedData(decode(f[2]))
            : new CMSSignedData(new CMSProcessableByteArray(decode(f[1])), decode(f[2]));
        int n = 0;
        for (SignerInformation si : sd.getSignerInfos()) {
            Collection<X509CertificateHolder> certs = sd.getCertificates().getMatches(si.getSID());
            if (certs.isEmpty()) {
                return "no certificate of a signer";
            }
            if (!si.verify(verifier(certs.iterator().next()))) {
                return "no valid signature";
            }
            n++;
        }
        byte[] content = (byte[]) sd.getSignedContent().getContent();
        return "ok " + n + " " + encode(content);
    }
}
